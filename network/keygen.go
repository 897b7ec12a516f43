package network

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/statemesh/statemesh/network/seal"
)

// DefaultMeshUser is the user's name that Keygen writes.
const DefaultMeshUser = "statemesh"

// ErrUserName: the name of a user is not one that Keygen writes.
var ErrUserName = errors.New("network: a user's name has to be 1 to 255 letters, digits or any of . _ -")

// Keygen makes what all nodes of a mesh have to share before they leave their host: a
// user's name and password for the brokers, and a mesh key. The password has 130 random bits,
// the key 256.
type Keygen struct {
	User string // 1 to 255 letters, digits or any of . _ -; empty means DefaultMeshUser
	LAN  bool   // also a line that makes nodes look for others on the LAN
}

// KeygenReport is what Keygen.Write did. It holds no secret.
type KeygenReport struct {
	Path    string   // of the file
	Written []string // the variables that it wrote, in their order
	Kept    []string // those that had a value already
	Exposed bool     // other users of this machine can read or write the file
}

// variable is a line of .env that may be missing.
type variable struct {
	name  string
	value func() string
}

func (k Keygen) variables() ([]variable, error) {
	user := k.User
	if user == "" {
		user = DefaultMeshUser
	}
	if len(user) > 255 || strings.ContainsFunc(user, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}) {
		return nil, ErrUserName
	}
	all := []variable{
		{EnvUser, func() string { return user }},
		{EnvPassword, rand.Text},
		{EnvMeshKey, func() string { return seal.NewKey().Encode() }},
	}
	if k.LAN {
		all = append(all, variable{EnvLAN, func() string { return "1" }})
	}
	return all, nil
}

// Lines returns what a new .env would hold, with new secrets. The error is ErrUserName.
func (k Keygen) Lines() (string, error) {
	all, err := k.variables()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, v := range all {
		b.WriteString(v.name + "=" + v.value() + "\n")
	}
	return b.String(), nil
}

// Write appends the lines that are missing to the file .env in dir, or makes that file with
// mode 0600; "" is the current directory. A variable that has a value keeps it, and the rest of
// the file and its mode stay as they are. A line without a value is as good as none. Any
// number of processes may do this at once, and start nodes, which write a mesh key: there
// will be one of each line. All lines are written, or none.
//
// The environment is not looked at. It blocks while another process writes, for ten seconds
// at most. The error is ErrUserName or wraps ErrConfig, and shows no value.
func (k Keygen) Write(dir string) (KeygenReport, error) {
	report := KeygenReport{Path: filepath.Join(dir, dotenvName)}
	all, err := k.variables()
	if err != nil {
		return report, err
	}
	err = extendDotenv(report.Path, func(e environment) (string, error) {
		report.Written, report.Kept = nil, nil
		if text := e.file[EnvMeshKey]; text != "" {
			if _, err := seal.ParseKey(text); err != nil {
				return "", misconfigured(EnvMeshKey+" in "+report.Path, "%w", err)
			}
		}
		var lines strings.Builder
		for _, v := range all {
			if e.file[v.name] != "" {
				report.Kept = append(report.Kept, v.name)
				continue
			}
			value := v.value()
			report.Written = append(report.Written, v.name)
			lines.WriteString(v.name + "=" + value + "\n")
			e.file[v.name] = value
		}
		report.Exposed = e.exposed()
		return lines.String(), nil
	})
	if err != nil && !errors.Is(err, ErrConfig) {
		err = misconfigured(report.Path, "%w", withoutPath(err))
	}
	if err != nil {
		return KeygenReport{Path: report.Path}, err
	}
	return report, nil
}

// extendDotenv appends to the .env file at path what lines returns, while no other process
// does. It makes the file if there is none.
func extendDotenv(path string, lines func(environment) (string, error)) error {
	opened := false
	err := withDotenv(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, func(f *os.File, content []byte, info fs.FileInfo) error {
		opened = true
		added, err := addition(path, content, info.Mode(), lines)
		if err != nil || added == "" {
			return err
		}
		return appendDotenv(f, content, added)
	})
	if !opened && errors.Is(err, fs.ErrPermission) {
		return extendsByNothing(path, lines, err)
	}
	return err
}

// extendsByNothing looks whether a file that may not be written needs to be: one that has all
// lines is good. Otherwise it returns refused.
func extendsByNothing(path string, lines func(environment) (string, error), refused error) error {
	content, mode, err := readDotenv(path)
	if err != nil {
		return err
	}
	switch added, err := addition(path, content, mode, lines); {
	case err != nil:
		return err
	case added != "":
		return refused
	}
	return nil
}

// addition is what has to be appended to a file of that content, "" for nothing.
func addition(path string, content []byte, mode fs.FileMode, lines func(environment) (string, error)) (string, error) {
	vars, err := parseDotenv(content)
	if err != nil {
		return "", misconfigured(path, "%w", err)
	}
	added, err := lines(environment{path: path, file: vars, mode: mode})
	if err != nil || added == "" {
		return "", err
	}
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		added = "\n" + added
	}
	if len(content)+len(added) > maxDotenv {
		return "", fmt.Errorf("with %d more bytes %s", len(added), errDotenvTooBig)
	}
	return added, nil
}
