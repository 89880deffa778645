// Probes URLs as the kubelet does, with its own prober: a request made anew, a fresh connection, the body read.
//
// Arguments: the URLs. For each line on standard input, a number of sweeps, it probes all URLs at once so many times,
// and answers with the number of probes that succeeded.
package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/kubernetes/pkg/probe"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"
)

const timeout = 10 * time.Second

func main() {
	targets := make([]*url.URL, 0, len(os.Args)-1)
	for _, word := range os.Args[1:] {
		target, err := url.Parse(word)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		targets = append(targets, target)
	}
	prober := httpprobe.New(false)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		sweeps, err := strconv.Atoi(lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		var succeeded atomic.Int64
		for range sweeps {
			var sweep sync.WaitGroup
			for _, target := range targets {
				sweep.Go(func() {
					if healthy(prober, target) {
						succeeded.Add(1)
					}
				})
			}
			sweep.Wait()
		}
		fmt.Println(succeeded.Load())
	}
}

func healthy(prober httpprobe.Prober, target *url.URL) bool {
	request, err := httpprobe.NewProbeRequest(target, nil)
	if err != nil {
		return false
	}
	result, _, err := prober.Probe(request, timeout)
	return err == nil && result == probe.Success
}
