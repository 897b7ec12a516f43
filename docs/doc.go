// Package docs checks the pages of this folder. Their listings and outputs stand
// in packages below listings and examples, which are built and run by their own
// tests; here is only what holds the pages to them.
//
// A comment before a fence says where its text comes from:
//
//	<!-- listing: listings/light/main.go -->          lines of that Go file
//	<!-- whole: listings/door/door.go -->             all of that Go file
//	<!-- output: listings/light/main_test.go -->      output of an Example there
//	<!-- output: listings/stairs/testdata/x.json -->  lines of that golden file
//
// A fence without a language is a picture, one of sh is commands; every other one
// needs such a comment. A listing may be indented less than in its file.
//
// The tests also look up what the pages name: links, folders, and exported names
// of our packages.
package docs
