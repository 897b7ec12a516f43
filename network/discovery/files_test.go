package discovery

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// putFile writes a file of a test.
func putFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func getFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// fileNames lists what is in a directory, sorted.
func fileNames(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// smallFiles are the readers of both files. field is what a file has to have.
var smallFiles = []struct {
	name, field string
	read        func(path string) (usable bool, err error)
}{
	{"hosts", "hosts", func(path string) (bool, error) {
		hosts, err := ReadHosts(path)
		return len(hosts) > 0, err
	}},
	{"cache", "addresses", func(path string) (bool, error) {
		c, err := ReadCache(path)
		return len(c.Addresses) > 0, err
	}},
}

// What both files refuse as a whole. FIELD stands for the name of the field.
func TestUnusableFiles(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	tests := []struct {
		name, content string
		want          error
		says          string
	}{
		{"empty", "", ErrSyntax, "empty"},
		{"blanks", " \r\n\t", ErrSyntax, "empty"},
		{"only a byte order mark", "\ufeff", ErrSyntax, "empty"},
		{"text", "10.0.0.7\n", ErrSyntax, "line 1, column 5"},
		{"zero bytes", strings.Repeat("\x00", 512), ErrSyntax, "line 1, column 1"},
		{"UTF-16, little endian", "\xff\xfe{\x00}\x00", ErrSyntax, "UTF-16"},
		{"UTF-16, big endian", "\xfe\xff\x00{\x00}", ErrSyntax, "UTF-16"},
		{"comma missing", "{\n  \"FIELD\": [\"10.0.0.7\"\n    \"10.0.0.8\"]\n}", ErrSyntax, "line 3, column 5"},
		{"comma at the end", "{\"FIELD\": [\"10.0.0.7\",]}", ErrSyntax, "line 1, column"},
		{"comment", "{\"FIELD\": [] // none\n}", ErrSyntax, "line 1, column"},
		{"single quotes", "{'FIELD': []}", ErrSyntax, "line 1, column 2"},
		{"NaN", "{\"FIELD\": [NaN]}", ErrSyntax, "line 1, column"},
		{"rest after it", "{\"FIELD\": [\"10.0.0.7\"]}x", ErrSyntax, "after top-level value"},
		{"twice", "{\"FIELD\": [\"10.0.0.7\"]}{\"FIELD\": [\"10.0.0.7\"]}", ErrSyntax, "after top-level value"},
		{"deep", "{\"FIELD\": " + deep + "}", ErrSyntax, "depth"},
		{"deep, other field", "{\"other\": " + deep + ", \"FIELD\": [\"10.0.0.7\"]}", ErrSyntax, "depth"},
		{"deep and open", strings.Repeat("{\"FIELD\":", 20_000), ErrSyntax, "depth"},
		{"list", "[\"10.0.0.7\"]", ErrContent, "a list instead of an object"},
		{"null", "null", ErrContent, "null instead of an object"},
		{"number", "7", ErrContent, "a number instead of an object"},
		{"text in quotes", "\"10.0.0.7\"", ErrContent, "a text instead of an object"},
		{"nothing in it", "{}", ErrContent, "it has no \"FIELD\""},
		{"field in other case", "{\"Field\": [\"10.0.0.7\"], \"FIELDS\": []}", ErrContent, "it has no \"FIELD\""},
		{"field further down", "{\"a\": {\"FIELD\": [\"10.0.0.7\"]}}", ErrContent, "it has no \"FIELD\""},
		{"field is null", "{\"FIELD\": null}", ErrContent, "null instead of a list"},
		{"field is a text", "{\"FIELD\": \"10.0.0.7\"}", ErrContent, "a text instead of a list"},
		{"field is an object", "{\"FIELD\": {\"0\": \"10.0.0.7\"}}", ErrContent, "an object instead of a list"},
		{"field is true", "{\"FIELD\": true}", ErrContent, "true or false instead of a list"},
		{"field twice", "{\"FIELD\": [\"10.0.0.7\"], \"FIELD\": []}", ErrContent, "twice"},
		{"field twice, once null", "{\"FIELD\": null, \"FIELD\": [\"10.0.0.7\"]}", ErrContent, "twice"},
		{"too large", "{\"FIELD\": [\"10.0.0.7\"]}" + strings.Repeat(" ", maxFileSize), ErrTooLarge, "1 MiB"},
	}
	for _, file := range smallFiles {
		for _, test := range tests {
			t.Run(file.name+"/"+test.name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				names := strings.NewReplacer("FIELD", file.field, "Field", strings.ToUpper(file.field[:1])+file.field[1:])
				putFile(t, path, names.Replace(test.content))
				usable, err := file.read(path)
				if usable {
					t.Error("something of it is used")
				}
				wantFileError(t, err, path, test.want, names.Replace(test.says))
			})
		}
	}
}

// wantFileError checks that it is a FileError of one line that says it, and wraps
// want if that is not nil.
func wantFileError(t *testing.T, err error, path string, want error, says string) {
	t.Helper()
	var e *FileError
	if !errors.As(err, &e) || e.Path != path || want != nil && !errors.Is(err, want) {
		t.Fatalf("error %v, want a FileError of %s that is %v", err, path, want)
	}
	if text := err.Error(); !strings.Contains(text, says) || !strings.Contains(text, path) ||
		path != "" && strings.Count(text, path) > 1 || strings.Contains(text, "\n") || len(text) > len(path)+400 {
		t.Errorf("error %q, want one line with the path and %q", text, says)
	}
}

func TestReadsWhatIsWellMeant(t *testing.T) {
	tests := []struct{ name, content string }{
		{"plain", "{\"FIELD\": [\"10.0.0.7\"]}"},
		{"byte order mark", "\ufeff{\"FIELD\": [\"10.0.0.7\"]}"},
		{"lines of Windows", "\r\n{\r\n\"FIELD\":\r\n[\"10.0.0.7\"]\r\n}\r\n"},
		{"escapes", "{\"FIELD\": [\"10.0.0\\u002e7\"]}"},
		{"other fields", "{\"a\": {\"FIELD\": 7}, \"FIELD\": [\"10.0.0.7\"], \"a\": [[[]]], \"b\": null}"},
		{"other case beside it", "{\"Field\": 7, \"FIELD\": [\"10.0.0.7\"], \"amqp_urls\": []}"},
		{"exactly as large as may be", "{\"FIELD\": [\"10.0.0.7\"]}PADDING"},
	}
	for _, file := range smallFiles {
		for _, test := range tests {
			t.Run(file.name+"/"+test.name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				content := strings.NewReplacer("FIELD", file.field, "Field", strings.ToUpper(file.field)).Replace(test.content)
				if before, ok := strings.CutSuffix(content, "PADDING"); ok {
					content = before + strings.Repeat("\n", maxFileSize-len(before))
				}
				putFile(t, path, content)
				if usable, err := file.read(path); err != nil || !usable {
					t.Errorf("error %v, used %v", err, usable)
				}
			})
		}
	}
}

func TestNoFile(t *testing.T) {
	for _, file := range smallFiles {
		for _, path := range []string{"", filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "none", "none")} {
			if usable, err := file.read(path); err != nil || usable {
				t.Errorf("%s %q: error %v, used %v; want nothing", file.name, path, err, usable)
			}
		}
	}
}

func TestOddPaths(t *testing.T) {
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "file"), "{}")
	for _, file := range smallFiles {
		_, err := file.read(dir)
		wantFileError(t, err, dir, ErrNotRegular, "not a regular file")
		for name, path := range map[string]string{
			"below a file":  filepath.Join(dir, "file", "x"),
			"zero byte":     dir + "/\x00",
			"far too long":  dir + "/" + strings.Repeat("x", 10_000),
			"many segments": dir + strings.Repeat("/x", 10_000),
		} {
			usable, err := file.read(path)
			var e *FileError
			if usable || err != nil && !errors.As(err, &e) {
				t.Errorf("%s, %s: used %v, error %v", file.name, name, usable, err)
			}
		}
	}
}

// A file that another process goes on writing to is read up to the limit.
func TestGrowingFile(t *testing.T) {
	for _, file := range smallFiles {
		path := filepath.Join(t.TempDir(), "file")
		putFile(t, path, "{\""+file.field+"\": [\"10.0.0.7\"]}")
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		grown := make(chan error)
		go func() { // ends when the file is too large
			blanks := strings.Repeat(" ", 4<<10)
			for range 2 * maxFileSize / len(blanks) {
				if _, err := f.WriteString(blanks); err != nil {
					break
				}
			}
			grown <- f.Close()
		}()
		for {
			usable, err := file.read(path)
			if errors.Is(err, ErrTooLarge) && !usable {
				break
			}
			if err != nil || !usable {
				t.Errorf("%s: used %v, error %v; want the one entry or ErrTooLarge", file.name, usable, err)
				break
			}
		}
		if err := <-grown; err != nil {
			t.Fatal(err)
		}
	}
}

// endless is a file that grows as fast as it is read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestReadToLimit(t *testing.T) {
	var e endless
	if content, err := readToLimit(&e); content != nil || err != ErrTooLarge || e.read > maxFileSize+1 {
		t.Errorf("%d bytes of %d read, error %v; want none and ErrTooLarge", len(content), e.read, err)
	}
	if content, err := readToLimit(strings.NewReader(strings.Repeat(" ", maxFileSize))); len(content) != maxFileSize || err != nil {
		t.Errorf("%d bytes, error %v; want all", len(content), err)
	}
}

// link makes a symbolic link, or skips the test where nobody may.
func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Skipf("symbolic links cannot be made here: %v", err)
	}
}

func TestLinks(t *testing.T) {
	for _, file := range smallFiles {
		t.Run(file.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "link")
			link(t, "target", path)
			if usable, err := file.read(path); usable || err != nil {
				t.Errorf("to nothing: used %v, error %v; want no file", usable, err)
			}
			putFile(t, filepath.Join(dir, "target"), "{\""+file.field+"\": [\"10.0.0.7\"]}")
			if usable, err := file.read(path); !usable || err != nil {
				t.Errorf("to a file: used %v, error %v", usable, err)
			}
			ring := filepath.Join(dir, "ring")
			link(t, "ring", ring)
			_, err := file.read(ring)
			var e *FileError
			if !errors.As(err, &e) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("to itself: error %v, want a FileError", err)
			}
			up := filepath.Join(dir, "up")
			link(t, ".", up)
			_, err = file.read(up)
			wantFileError(t, err, up, ErrNotRegular, "not a regular file")
		})
	}
}
