package network

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/statemesh/statemesh/network/seal"
)

// RotationStep says which of the three steps of changing a key Keygen.Rotate made.
type RotationStep int

// The steps. After each, the file has to be on all hosts before the next one is made.
const (
	KeyAdded   RotationStep = iota + 1 // a new key opens
	KeyUsed                            // the new key seals, the old one opens
	KeyRetired                         // the old key is gone
)

// Rotation is what Keygen.Rotate did. It holds no secret.
type Rotation struct {
	Path      string // of the file
	Step      RotationStep
	Variables []string // the keys that change, MESH_ENCRYPTION_KEY first
}

// Rotate makes the next step of changing the mesh key in the file .env in dir, and of the
// keys of trace and spy as far as they are there. Nodes that run take it up within some
// seconds, without losing an event, if each step is on all hosts before the next one:
//
//  1. A new key is added, as MESH_ENCRYPTION_KEY_NEXT: everybody can open with it.
//  2. It becomes MESH_ENCRYPTION_KEY, and the old one MESH_ENCRYPTION_KEY_PREVIOUS:
//     everybody seals with the new one.
//  3. The old one is taken out. What waited longer than it may does not open any more.
//
// The rest of the file and its mode stay as they are; the file is replaced as a whole. It
// blocks while another process writes it, for ten seconds at most. The error wraps
// ErrConfig, and shows no value.
func (k Keygen) Rotate(dir string) (Rotation, error) {
	r := Rotation{Path: filepath.Join(dir, dotenvName)}
	err := withDotenv(r.Path, os.O_RDWR, func(_ *os.File, content []byte, info fs.FileInfo) error {
		vars, err := parseDotenv(content)
		if err != nil {
			return misconfigured(r.Path, "%w", err)
		}
		changed, err := r.step(string(content), vars)
		if err != nil {
			return err
		}
		return replaceDotenv(r.Path, changed, info)
	})
	if err != nil && !errors.Is(err, ErrConfig) {
		err = misconfigured(r.Path, "%w", withoutPath(err))
	}
	if err != nil {
		return Rotation{Path: r.Path}, err
	}
	return r, nil
}

// step returns the content after the next step.
func (r *Rotation) step(content string, vars map[string]string) (string, error) {
	if vars[EnvMeshKey] == "" {
		return "", misconfigured(EnvMeshKey+" in "+r.Path, "there is none to be changed; statemesh keygen writes one")
	}
	switch {
	case vars[EnvMeshKey+EnvNext] != "":
		r.Step = KeyUsed
	case vars[EnvMeshKey+EnvPrevious] != "":
		r.Step = KeyRetired
	default:
		r.Step = KeyAdded
	}
	r.Variables = nil
	for _, name := range []string{EnvMeshKey, EnvTraceKey, EnvSpyKey} {
		next, previous := name+EnvNext, name+EnvPrevious
		for _, n := range []string{name, next, previous} {
			if _, err := seal.ParseKey(vars[n]); err != nil && vars[n] != "" {
				return "", misconfigured(n+" in "+r.Path, "%w", err)
			}
		}
		switch {
		case vars[name] == "",
			r.Step == KeyUsed && vars[next] == "",
			r.Step == KeyRetired && vars[previous] == "":
			continue
		case r.Step == KeyAdded:
			content = setVariable(content, next, seal.NewKey().Encode())
		case r.Step == KeyUsed:
			content = setVariable(content, previous, vars[name])
			content = setVariable(content, name, vars[next])
			content = setVariable(content, next, "")
		case r.Step == KeyRetired:
			content = setVariable(content, previous, "")
		}
		r.Variables = append(r.Variables, name)
	}
	// What a reader makes of it is checked before anybody reads it.
	after, err := parseDotenv([]byte(content))
	if err != nil || after[EnvMeshKey] == "" || r.Step == KeyUsed && after[EnvMeshKey] != vars[EnvMeshKey+EnvNext] {
		return "", misconfigured(r.Path, "the line of %s is not one that can be changed; change it by hand", EnvMeshKey)
	}
	return content, nil
}

// setVariable gives a variable a value in the text of a .env file, or takes it out if the
// value is empty. Other lines stay as they are.
func setVariable(content, name, value string) string {
	line := regexp.MustCompile(`(?m)^[ \t]*(export[ \t]+)?` + regexp.QuoteMeta(name) + `[ \t]*[=:].*(\n|\z)`)
	replacement := ""
	if value != "" {
		replacement = name + "=" + value + "\n"
	}
	if !line.MatchString(content) {
		if content != "" && !strings.HasSuffix(content, "\n") && replacement != "" {
			content += "\n"
		}
		return content + replacement
	}
	first := true
	return line.ReplaceAllStringFunc(content, func(string) string {
		if !first {
			return ""
		}
		first = false
		return replacement
	})
}

// replaceDotenv puts a new file in the place of the old one, at once.
func replaceDotenv(path, content string, like fs.FileInfo) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), dotenvName+".*.tmp")
	if err != nil {
		return fmt.Errorf("cannot be replaced: %w", withoutPath(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	keepOwner(f, like)
	if err = f.Chmod(like.Mode().Perm()); err != nil && hasModes {
		return err
	}
	if _, err = io.WriteString(f, content); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
