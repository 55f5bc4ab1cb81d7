// Command load makes the requests of the benchmarks that wrk cannot make: pushes, HEAD, bulk downloads, seeding.
// Each subcommand prints one JSON object and is bounded in count and time.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"time"
)

// options are the flags of all subcommands; each reads those it needs.
type options struct {
	addr, user, repo, path, method, kind, file string
	conns, n, per                              int
	size                                       int64
	rate                                       float64
	time                                       time.Duration
}

var commands = map[string]struct {
	run  func(*options) (any, error)
	help string
}{
	"token":          {tokenCommand, "print the Authorization header for -repo (-kind pull or push), empty if none is needed"},
	"push":           {pushImages, "push one-layer images of -size bytes with -conns connections, for -time or -n images"},
	"push-blob":      {pushBlob, "push one blob of -size bytes by POST, PATCH, PUT"},
	"fill":           {fillFile, "write the bytes of a push-blob of -size to -file"},
	"seed-image":     {seedImage, "push one image with -n layers of -size bytes, tagged latest"},
	"seed-tags":      {seedTags, "give -repo -n tags, -per of them with one PUT (1: a PUT by tag)"},
	"seed-referrers": {seedReferrers, "give the image latest in -repo -n referrers"},
	"layers":         {pushPullLayers, "-conns clients, each pushes a layer of -size bytes and pulls it back"},
	"pull":           {pull, "GET -path with -conns connections for -time, dropping the bytes"},
	"fire":           {fire, "-method -path as fast as -conns connections can for -time"},
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]].run == nil {
		usage()
	}
	var o options
	set := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	set.StringVar(&o.addr, "addr", "", "HOST:PORT of the server")
	set.StringVar(&o.user, "user", "", "NAME:PASSWORD; without it requests are anonymous")
	set.StringVar(&o.repo, "repo", "bench/load", "repository")
	set.StringVar(&o.path, "path", "/", "path to get")
	set.StringVar(&o.method, "method", "GET", "method of fire")
	set.StringVar(&o.kind, "kind", "push", "what a token is for: pull or push")
	set.StringVar(&o.file, "file", "", "file to write")
	set.IntVar(&o.conns, "conns", 1, "connections")
	set.IntVar(&o.n, "n", 1<<30, "how many at most")
	set.IntVar(&o.per, "per", 10, "tags in one request")
	set.Float64Var(&o.rate, "rate", 0, "images a second that become due, whether the last ones are done or not (default: as fast as they go)")
	set.Int64Var(&o.size, "size", 1<<20, "bytes in a blob")
	set.DurationVar(&o.time, "time", 0, "how long at most (default: until -n is reached, ten minutes at most)")
	_ = set.Parse(os.Args[2:])
	if o.time == 0 {
		o.time = 10 * time.Minute
	}
	result, err := commands[os.Args[1]].run(&o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "load %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: load COMMAND [flags]")
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-14s %s\n", name, commands[name].help)
	}
	os.Exit(2)
}

func fillFile(o *options) (any, error) {
	file, err := os.Create(o.file)
	if err != nil {
		return nil, err
	}
	b := newBulk(o.size)
	err = b.each(func(parts ...[]byte) error {
		for _, part := range parts {
			if _, err := file.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
	return map[string]any{"bytes": o.size, "digest": b.digest}, errors.Join(err, file.Close())
}

// latencies are the durations of single operations.
type latencies []time.Duration

// summary is what the runner reads from every timed load.
type summary struct {
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

func (l latencies) summary(wall time.Duration) summary {
	sort.Slice(l, func(i, j int) bool { return l[i] < l[j] })
	at := func(q float64) float64 {
		if len(l) == 0 {
			return 0
		}
		return float64(l[min(len(l)-1, int(q*float64(len(l))))]) / 1e6
	}
	return summary{
		Count: len(l), Seconds: wall.Seconds(), Rate: float64(len(l)) / wall.Seconds(),
		P50: at(.5), P99: at(.99), Max: at(1),
	}
}

// drain reads what is left so that the connection can be used again.
func drain(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, 64<<20)) }
