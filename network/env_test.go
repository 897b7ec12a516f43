package network

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

var variables = []string{EnvUser, EnvPassword, EnvPort, EnvHeartbeat, EnvAttempts, EnvMeshKey, EnvTraceKey, EnvSpyKey, EnvTLSCA, EnvTLSCert, EnvTLSKey}

// environ makes an environment in which only these of our variables are set, and a
// directory with this .env file, none if the text is empty. It returns the directory.
func environ(t *testing.T, set map[string]string, dotenv string) string {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, set[name]) // an empty one counts as not set
	}
	dir := t.TempDir()
	if dotenv != "" {
		write(t, filepath.Join(dir, ".env"), dotenv)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testKey returns a key whose text is made of one letter.
func testKey(t *testing.T, letter string) (key seal.Key, text string) {
	t.Helper()
	text = strings.Repeat(letter, 42) + "A="
	key, err := seal.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func TestLoad(t *testing.T) {
	mesh, meshText := testKey(t, "m")
	trace, traceText := testKey(t, "t")
	spy, spyText := testKey(t, "s")
	all := map[string]string{
		EnvUser: "u", EnvPassword: "p", EnvPort: "1234", EnvHeartbeat: "30", EnvAttempts: "7",
		EnvMeshKey: meshText, EnvTraceKey: traceText, EnvSpyKey: spyText,
	}
	var file strings.Builder
	for _, name := range variables {
		file.WriteString(name + "=" + all[name] + "\n")
	}
	full := Config{User: "u", Password: NewSecret("p"), Port: 1234, Heartbeat: 30 * time.Second, ConnectionAttempts: 7,
		MeshKey: mesh, TraceKey: trace, SpyKey: spy}

	tests := []struct {
		name   string
		set    map[string]string
		dotenv string
		want   Config
	}{
		{name: "nothing", want: Config{}},
		{name: "all in the environment", set: all, want: full},
		{name: "all in the file", dotenv: file.String(), want: full},
		{name: "the environment goes first", set: map[string]string{EnvUser: "e", EnvPort: "1"}, dotenv: "RABBIT_USER=f\nRABBIT_PORT=no number\nRABBIT_PASSWORD='f #'\n",
			want: Config{User: "e", Port: 1, Password: NewSecret("f #")}},
		{name: "empty is not set", set: map[string]string{EnvUser: ""}, dotenv: "RABBIT_USER=f\nRABBIT_PORT=\n", want: Config{User: "f"}},
		{name: "others are not looked at", dotenv: "OTHER=${X}\nRABBIT=1\n", want: Config{}},
		{name: "a password with odd characters", dotenv: "RABBIT_PASSWORD=a$b#c\n", want: Config{Password: NewSecret("a$b#c")}},
		{name: "braces in the environment", set: map[string]string{EnvPassword: "${x}"}, want: Config{Password: NewSecret("${x}")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := environ(t, test.set, test.dotenv)
			before := strings.Join(os.Environ(), "\n")
			got, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Dir = dir
			if !same(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
			if after := strings.Join(os.Environ(), "\n"); after != before {
				t.Error("the environment has changed")
			}
			if test.dotenv == "" {
				if _, err := os.Stat(filepath.Join(dir, ".env")); err == nil {
					t.Error("a file has been written")
				}
			}
		})
	}
}

// same compares what Load sets; Secrets and keys do not print what they are.
func same(a, b Config) bool {
	return a.String() == b.String() && a.Password == b.Password &&
		a.MeshKey.Equal(b.MeshKey) && a.TraceKey.Equal(b.TraceKey) && a.SpyKey.Equal(b.SpyKey)
}

// Every mistake has its sentence, and none quotes a value.
func TestLoadErrors(t *testing.T) {
	wrong := map[string]string{
		EnvPort: "hidden", EnvHeartbeat: "0", EnvAttempts: "-1",
		EnvMeshKey: "hidden", EnvTraceKey: strings.Repeat("hid!", 11)[:43], EnvSpyKey: strings.Repeat("A", 43),
	}
	sentences := []string{
		EnvPort + " in PLACE: it has to be a number from 1 to 65535",
		EnvHeartbeat + " in PLACE: it has to be a number from 1 to 65535",
		EnvAttempts + " in PLACE: it has to be a number from 1 to 1000000",
		EnvMeshKey + " in PLACE: seal: bad key: 6 characters long, want 43 and a final =",
		EnvTraceKey + " in PLACE: seal: bad key: character 4 is not one of URL-safe base64",
		EnvSpyKey + " in PLACE: seal: bad key: all its bits are zero",
	}
	var file strings.Builder
	for name, value := range wrong {
		file.WriteString(name + "=" + value + "\n")
	}
	big := strings.Repeat("# hidden\n", maxDotenv/9+1)
	tests := []struct {
		name   string
		set    map[string]string
		dotenv string
		want   []string // DIR stands for the directory
	}{
		{"environment", wrong, "", place(sentences, "the environment")},
		{"file", nil, file.String(), place(sentences, "DIR/.env")},
		{"syntax", nil, "RABBIT_USER=u\nhidden\n", []string{"DIR/.env: line 2"}},
		{"reference", nil, "hidden=hidden\nRABBIT_PASSWORD=${hidden}\n", []string{"RABBIT_PASSWORD in DIR/.env: it refers to another variable"}},
		{"too large", nil, big, []string{"DIR/.env: it is larger than 64 KiB"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := environ(t, test.set, test.dotenv)
			_, err := Load(dir)
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("error %v, want an ErrConfig", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(test.want) {
				t.Errorf("%d mistakes, want %d:\n%v", len(lines), len(test.want), err)
			}
			for _, want := range test.want {
				if want = strings.ReplaceAll(want, "DIR", dir); !strings.Contains(err.Error(), want) {
					t.Errorf("nobody says %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hid") {
				t.Errorf("a value is shown: %v", err)
			}
		})
	}
}

func place(sentences []string, name string) (placed []string) {
	for _, s := range sentences {
		placed = append(placed, strings.ReplaceAll(s, "PLACE", name))
	}
	return placed
}

func TestLoadOddFiles(t *testing.T) {
	dir := environ(t, nil, "")
	if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory called .env: error %v", err)
	}

	dir = environ(t, nil, "")
	write(t, filepath.Join(dir, "elsewhere"), "RABBIT_USER=u\n")
	if err := os.Symlink("elsewhere", filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(dir); err != nil || c.User != "u" {
		t.Errorf("a symbolic link: got %v, %v", c, err)
	}
	if c, err := Load(filepath.Join(dir, "nowhere")); err != nil || c.User != "" {
		t.Errorf("a missing directory: got %v, %v", c, err)
	}
}

func TestExposedFile(t *testing.T) {
	if !hasModes {
		t.Skip("files have no modes here")
	}
	_, key := testKey(t, "m")
	tests := []struct {
		name, dotenv string
		mode         os.FileMode
		want         bool
	}{
		{"ours alone", "MESH_ENCRYPTION_KEY=" + key + "\n", 0o600, false},
		{"the group may", "MESH_ENCRYPTION_KEY=" + key + "\n", 0o640, false},
		{"others may read", "MESH_ENCRYPTION_KEY=" + key + "\n", 0o644, true},
		{"others may write", "MESH_ENCRYPTION_KEY=" + key + "\n", 0o602, true},
		{"a password", "RABBIT_PASSWORD=p\n", 0o644, true},
		{"no secret", "RABBIT_PORT=1\n", 0o644, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := environ(t, map[string]string{EnvMeshKey: key}, test.dotenv)
			if err := os.Chmod(filepath.Join(dir, ".env"), test.mode); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			if _, err := (Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}).complete(); err != nil {
				t.Fatal(err)
			}
			warnings := strings.Count(log.String(), "level=WARN")
			if (warnings == 1) != test.want || warnings > 1 {
				t.Errorf("%d warnings, want one: %v\n%s", warnings, test.want, log.String())
			}
			if strings.Contains(log.String(), key) {
				t.Error("the log shows the key")
			}
		})
	}
}
