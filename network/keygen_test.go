package network

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const keygenKey = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="

var fresh = map[string]string{
	EnvUser: "statemesh", EnvPassword: "[A-Z2-7]{26}", EnvMeshKey: "[0-9A-Za-z_-]{43}=", EnvLAN: "1",
}

func TestKeygenWrite(t *testing.T) {
	all := []string{EnvUser, EnvPassword, EnvMeshKey}
	tests := []struct {
		name    string
		keygen  Keygen
		before  string
		between string // what has to stand before the new lines
		written []string
		kept    []string
	}{
		{name: "no file", written: all},
		{name: "LAN", keygen: Keygen{LAN: true}, written: append(all[:3:3], EnvLAN)},
		{name: "comments stay", before: "# ours\n\nRABBIT_PORT=5673 # odd\n", written: all},
		{name: "no final newline", before: "A=1", between: "\n", written: all},
		{name: "a user", before: "RABBIT_USER=ann\n", written: all[1:], kept: all[:1]},
		{name: "a password", before: "export RABBIT_PASSWORD='a$b'\n", written: []string{EnvUser, EnvMeshKey}, kept: all[1:2]},
		{name: "a key", before: EnvMeshKey + "=" + keygenKey + "\n", written: all[:2], kept: all[2:]},
		{name: "no value", before: "RABBIT_USER=\nRABBIT_PASSWORD=p\n", written: []string{EnvUser, EnvMeshKey}, kept: all[1:2]},
		{name: "everything", before: "MESH_ENCRYPTION_KEY=" + keygenKey + "\nRABBIT_PASSWORD=p\nRABBIT_USER=u", kept: all},
		{name: "no LAN stays", keygen: Keygen{LAN: true}, before: "STATEMESH_LAN=0\n", written: all, kept: []string{EnvLAN}},
		{name: "Windows", before: "A=1\r\n", written: all},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := environ(t, nil, test.before)
			path := filepath.Join(dir, ".env")
			mode := os.FileMode(0o600)
			if test.before != "" {
				mode = 0o640
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			want := KeygenReport{Path: path, Written: test.written, Kept: test.kept}
			report, err := test.keygen.Write(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			pattern := "^" + regexp.QuoteMeta(test.before+test.between)
			for _, name := range test.written {
				pattern += name + "=" + fresh[name] + "\n"
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(pattern + "$").Match(content) {
				t.Errorf("the file is %q, want what matches %q", content, pattern)
			}
			if info, err := os.Stat(path); err != nil || hasModes && info.Mode() != mode {
				t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
			}
			if c, err := Load(dir); err != nil || c.User == "" || c.Password.IsZero() || c.MeshKey.IsZero() {
				t.Errorf("Load: %v, %v; want all of it", c, err)
			}
			again, err := test.keygen.Write(dir)
			if err != nil || again.Written != nil || len(again.Kept) != len(test.written)+len(test.kept) {
				t.Errorf("the second time: %+v, %v", again, err)
			}
			if after, _ := os.ReadFile(path); string(after) != string(content) {
				t.Error("the second time changed the file")
			}
		})
	}
}

// What is written is enough for a node on the LAN.
func TestKeygenIsEnough(t *testing.T) {
	dir := environ(t, nil, "")
	if _, err := (Keygen{User: "a.b_c-9", LAN: true}).Write(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Config{Dir: dir}.complete()
	if err != nil || !s.LAN || s.own.User != "a.b_c-9" || s.newKey != "" {
		t.Errorf("LAN %v, user %q, new key %q, error %v", s.LAN, s.own.User, s.newKey, err)
	}
}

func TestKeygenLines(t *testing.T) {
	k := Keygen{LAN: true}
	one, err := k.Lines()
	if err != nil {
		t.Fatal(err)
	}
	other, err := k.Lines()
	if err != nil {
		t.Fatal(err)
	}
	a, errA := parseDotenv([]byte(one))
	b, errB := parseDotenv([]byte(other))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	for name, pattern := range fresh {
		if !regexp.MustCompile("^" + pattern + "$").MatchString(a[name]) {
			t.Errorf("%s does not match %s", name, pattern)
		}
		if secret := name == EnvPassword || name == EnvMeshKey; secret == (a[name] == b[name]) {
			t.Errorf("%s: the same both times is %v", name, !secret)
		}
	}
	if len(a) != len(fresh) {
		t.Errorf("%d variables, want %d", len(a), len(fresh))
	}
}

func TestKeygenErrors(t *testing.T) {
	tests := []struct {
		name   string
		keygen Keygen
		before string
		want   error
		text   string
	}{
		{"blank in the user", Keygen{User: "a b"}, "A=1\n", ErrUserName, "letters"},
		{"a line in the user", Keygen{User: "a\nB=2"}, "A=1\n", ErrUserName, "letters"},
		{"long user", Keygen{User: strings.Repeat("a", 256)}, "A=1\n", ErrUserName, "255"},
		{"syntax", Keygen{}, "A=1\nhidden\n", ErrConfig, "line 2"},
		{"open quote", Keygen{}, "A='hidden\n", ErrConfig, "line 1"},
		{"bad key", Keygen{}, "MESH_ENCRYPTION_KEY=hidden\n", ErrConfig, "6 characters long"},
		{"no room", Keygen{}, strings.Repeat("#", maxDotenv-50), ErrConfig, "larger than 64 KiB"},
		{"too large", Keygen{}, strings.Repeat("#", maxDotenv+1), ErrConfig, "larger than 64 KiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := environ(t, nil, test.before)
			report, err := test.keygen.Write(dir)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "hid") {
				t.Errorf("error %v, want %v that says %q and quotes nothing", err, test.want, test.text)
			}
			if report.Written != nil || report.Kept != nil {
				t.Errorf("report %+v", report)
			}
			if after, _ := os.ReadFile(filepath.Join(dir, ".env")); string(after) != test.before {
				t.Error("the file was changed")
			}
			if _, err := test.keygen.Lines(); errors.Is(test.want, ErrUserName) != errors.Is(err, ErrUserName) {
				t.Errorf("Lines: %v", err)
			}
		})
	}
}

func TestKeygenNoPlace(t *testing.T) {
	dir := environ(t, nil, "")
	for name, place := range map[string]string{
		"no directory": filepath.Join(dir, "none"),
		"a file":       filepath.Join(dir, "file"),
		"a directory":  filepath.Join(dir, "dir"), // is called .env
	} {
		switch name {
		case "a file":
			write(t, place, "")
		case "a directory":
			if err := os.MkdirAll(filepath.Join(place, ".env"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := (Keygen{}).Write(place); !errors.Is(err, ErrConfig) || r.Written != nil {
			t.Errorf("%s: %+v, %v; want an ErrConfig", name, r, err)
		}
	}
}

// However many write at once, and whatever starts meanwhile, there is one of each line.
func TestKeygenAtOnce(t *testing.T) {
	for range 50 {
		if keygenAtOnce(t, environ(t, nil, "")); t.Failed() {
			return
		}
	}
}

func keygenAtOnce(t *testing.T, dir string) {
	path := filepath.Join(dir, ".env")
	var mu sync.Mutex // guards what follows
	written := map[string]int{}
	keys := map[string]bool{}
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 4 {
		all.Go(func() {
			<-begin
			r, err := Keygen{LAN: i%2 == 0}.Write(dir)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, name := range r.Written {
				written[name]++
			}
		})
		all.Go(func() {
			<-begin
			key, isNew, err := shareKey(path)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			keys[key.Encode()] = true
			if isNew {
				written[EnvMeshKey]++
			}
		})
	}
	close(begin)
	all.Wait()
	want := map[string]int{EnvUser: 1, EnvPassword: 1, EnvMeshKey: 1, EnvLAN: 1}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(line, "=")
		lines[name]++
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if len(keys) != 1 {
		t.Errorf("%d different keys", len(keys))
	}
}

func TestKeygenExposed(t *testing.T) {
	if !hasModes {
		t.Skip("files have no modes here")
	}
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o602: true} {
		dir := environ(t, nil, "A=1\n")
		if err := os.Chmod(filepath.Join(dir, ".env"), mode); err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"first", "again"} {
			if r, err := (Keygen{}).Write(dir); err != nil || r.Exposed != want {
				t.Errorf("mode %o, %s: exposed %v, %v; want %v", mode, when, r.Exposed, err, want)
			}
		}
	}
}
