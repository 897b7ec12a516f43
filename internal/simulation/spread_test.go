package simulation

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// ran is how a process says how many seeds it ran.
var ran = regexp.MustCompile(`(?m)(\d+) seeds in `)

// spread runs seeds in as many processes as there are workers, for each has one processor,
// and returns how many it ran. What a process says of a seed that failed, this one says.
func spread(t *testing.T, limit int, until time.Duration) (count int) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex // guards count
	for i := range *workers {
		share := limit / *workers
		if i < limit%*workers {
			share++
		}
		if limit > 0 && share == 0 {
			continue
		}
		worker := exec.CommandContext(t.Context(), self, "-test.run=^TestPromises$", "-test.v", "-test.timeout=0",
			fmt.Sprint("-simulation.workers=", 1), fmt.Sprint("-simulation.first=", *first+uint64(i)), fmt.Sprint("-simulation.step=", *workers),
			fmt.Sprint("-simulation.seeds=", share), fmt.Sprint("-simulation.for=", until))
		all.Go(func() {
			said, err := worker.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, broken(said))
			}
			mu.Lock()
			defer mu.Unlock()
			if found := ran.FindSubmatch(said); found != nil {
				n, _ := strconv.Atoi(string(found[1])) // it is digits
				count += n
			}
		})
	}
	all.Wait()
	return count
}

// passed are the lines about seeds in which nothing was broken.
var passed = regexp.MustCompile(`(?m)^(=== .*|\s*--- PASS.*)\n`)

func broken(said []byte) []byte { return bytes.TrimSpace(passed.ReplaceAll(said, nil)) }
