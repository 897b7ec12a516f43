package discovery

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Only what a killed writer of this very file left long ago is removed.
func TestWriteCacheRemovesLeftovers(t *testing.T) {
	const id = "0123456789abcdef"
	tests := []struct {
		name string
		age  time.Duration
		gone bool
	}{
		{"cache.statemesh-" + id + ".tmp", 2 * time.Minute, true},
		{"cache.statemesh-ffffffffffffffff.tmp", leftoverAge + time.Second, true},
		{"cache.statemesh-0000000000000000.tmp", leftoverAge / 2, false},
		{"cache.statemesh-0000000000000001.tmp", -time.Hour, false},
		{"cache.statemesh-0123456789ABCDEF.tmp", time.Hour, false},
		{"cache.statemesh-0123456789abcde.tmp", time.Hour, false},
		{"cache.statemesh-" + id + "0.tmp", time.Hour, false},
		{"cache.statemesh-" + id + ".tmp~", time.Hour, false},
		{"cache.statemesh-" + id, time.Hour, false},
		{"cache2.statemesh-" + id + ".tmp", time.Hour, false},
		{"xcache.statemesh-" + id + ".tmp", time.Hour, false},
		{"cache.tmp", time.Hour, false},
		{"cache.statemesh-.tmp", time.Hour, false},
		{"cache.statemesh-1111111111111111.tmp/", time.Hour, false}, // a directory
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "cache")
	for _, test := range tests {
		name := filepath.Join(dir, test.name)
		if strings.HasSuffix(test.name, "/") {
			if err := os.Mkdir(name, 0o755); err != nil {
				t.Fatal(err)
			}
		} else {
			putFile(t, name, "{")
		}
		then := time.Now().Add(-test.age)
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteCache(path, Cache{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		_, err := os.Lstat(filepath.Join(dir, test.name))
		if gone := errors.Is(err, os.ErrNotExist); gone != test.gone {
			t.Errorf("%s of %v is gone: %v, want %v", test.name, test.age, gone, test.gone)
		}
	}
}

// In a long directory as well.
func TestWriteCacheRemovesManyLeftovers(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	for i := range 1000 {
		name := filepath.Join(dir, fmt.Sprintf("cache.statemesh-%016x.tmp", i))
		putFile(t, name, "")
		if err := os.Chtimes(name, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteCache(filepath.Join(dir, "cache"), Cache{}); err != nil {
		t.Fatal(err)
	}
	if names := fileNames(t, dir); len(names) != 1 {
		t.Errorf("%d files are left", len(names))
	}
}

// Of a torn file nothing is taken.
func TestReadCacheTorn(t *testing.T) {
	content, err := formatCache(cacheOf(90*time.Second, "10.77.0.2", "10.77.0.3:5673", "[::1]:5672"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range content {
		c, err := parseCache(content[:cut])
		if cut == len(content)-1 { // only the newline is missing
			if len(c.Addresses) != 3 || err != nil {
				t.Errorf("without the newline: %v, error %v", c, err)
			}
			continue
		}
		if c.Addresses != nil || !errors.Is(err, ErrSyntax) {
			t.Errorf("the first %d bytes: %v, error %v; want ErrSyntax", cut, c, err)
		}
	}
}

// Several goroutines of one process may write at once.
func TestWriteCacheAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 10 {
				if err := WriteCache(path, cacheOf(0, fmt.Sprintf("10.0.0.%d", i+1))); err != nil {
					t.Error(err)
				}
				if c, err := ReadCache(path); err != nil || len(c.Addresses) != 1 || c.TimeOut != DefaultTimeOut {
					t.Errorf("%v, error %v", c, err)
				}
			}
		})
	}
	all.Wait()
	if names := fileNames(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
}
