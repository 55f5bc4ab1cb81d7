package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	configType = "application/vnd.oci.image.config.v1+json"
	layerType  = "application/vnd.oci.image.layer.v1.tar"
	emptyType  = "application/vnd.oci.empty.v1+json"
)

func descriptor(mediaType string, b blob) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, b.digest, b.size)
}

// putBlob is what clients do for each blob: ask, open an upload, send it whole.
func putBlob(c *conn, repo string, b blob) error {
	a, err := c.do("HEAD", "/v2/"+repo+"/blobs/"+b.digest, "")
	if err != nil || a.status == 200 {
		return err
	}
	if a, err = c.must(202, "POST", "/v2/"+repo+"/blobs/uploads/", ""); err != nil {
		return err
	}
	path, err := location(a)
	if err != nil {
		return err
	}
	_, err = c.must(201, "PUT", withDigest(path, b.digest), "Content-Type: application/octet-stream\r\n", b.parts...)
	return err
}

func putManifest(c *conn, repo, reference, manifest string) error {
	_, err := c.must(201, "PUT", "/v2/"+repo+"/manifests/"+reference, "Content-Type: "+imageType+"\r\n", []byte(manifest))
	return err
}

// image n of a run: one unique layer, one unique config, one tag.
func pushImage(c *conn, repo string, m *mint, n uint64) error {
	layer := m.blob(n)
	config := blobOf([]byte(fmt.Sprintf(
		`{"architecture":"amd64","os":"linux","config":{"Labels":{"run":"%x","n":"%d"}},"rootfs":{"type":"layers","diff_ids":[%q]}}`,
		m.salt, n, layer.digest)))
	for _, b := range []blob{layer, config} {
		if err := putBlob(c, repo, b); err != nil {
			return err
		}
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`,
		imageType, descriptor(configType, config), descriptor(layerType, layer))
	return putManifest(c, repo, fmt.Sprintf("t%x-%d", m.salt, n), manifest)
}

// each runs do for 0, 1, 2 … on -conns connections until -n or -time is reached and times every call. With -rate a call is
// timed from when it was due: what waits for a connection waits for the server.
func each(o *options, a *auth, do func(c *conn, n uint64) error) (latencies, time.Duration, error) {
	var (
		next  atomic.Int64
		fault atomic.Pointer[error]
		group sync.WaitGroup
		mu    sync.Mutex
		all   latencies
	)
	begin := time.Now()
	for range o.conns {
		group.Add(1)
		go func() {
			defer group.Done()
			c := dial(o.addr, a)
			defer c.close()
			var own latencies
			for fault.Load() == nil && time.Since(begin) < o.time {
				n := next.Add(1) - 1
				if n >= int64(o.n) {
					break
				}
				started := time.Now()
				if o.rate > 0 {
					started = begin.Add(time.Duration(float64(n) / o.rate * float64(time.Second)))
					time.Sleep(time.Until(started))
				}
				if err := do(c, uint64(n)); err != nil {
					fault.CompareAndSwap(nil, &err)
					break
				}
				own = append(own, time.Since(started))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		}()
	}
	group.Wait()
	wall := time.Since(begin)
	if err := fault.Load(); err != nil {
		return nil, wall, *err
	}
	return all, wall, nil
}

func pushImages(o *options) (any, error) {
	a, err := authFor(o, "pull,push")
	if err != nil {
		return nil, err
	}
	m := newMint(o.size)
	// One push before the clock starts: connections, first-use paths and the repository itself.
	warm := dial(o.addr, a)
	defer warm.close()
	if err := pushImage(warm, o.repo, m, 1<<40); err != nil {
		return nil, err
	}
	all, wall, err := each(o, a, func(c *conn, n uint64) error { return pushImage(c, o.repo, m, n) })
	return all.summary(wall), err
}

// pushBlob sends one large blob as a stream: POST, PATCH with all bytes, PUT. The time is from POST to 201.
func pushBlob(o *options) (any, error) {
	a, err := authFor(o, "pull,push")
	if err != nil {
		return nil, err
	}
	b := newBulk(o.size)
	c := dial(o.addr, a)
	defer c.close()
	begin := time.Now()
	answer, err := c.must(202, "POST", "/v2/"+o.repo+"/blobs/uploads/", "")
	if err != nil {
		return nil, err
	}
	path, err := location(answer)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
		path, o.addr, a.line(), b.size)
	if _, err := io.WriteString(c.net, head); err != nil {
		return nil, err
	}
	if err := b.each(func(parts ...[]byte) error {
		buffers := net.Buffers(parts)
		_, err := buffers.WriteTo(c.net)
		return err
	}); err != nil {
		return nil, err
	}
	if answer, err = c.read("PATCH"); err != nil || answer.status != 202 {
		return nil, fmt.Errorf("PATCH: %v %+v", err, answer)
	}
	if path, err = location(answer); err != nil {
		return nil, err
	}
	if _, err := c.must(201, "PUT", withDigest(path, b.digest), ""); err != nil {
		return nil, err
	}
	seconds := time.Since(begin).Seconds()
	return map[string]any{"seconds": seconds, "mb_per_s": float64(b.size) / 1e6 / seconds, "digest": b.digest}, nil
}
