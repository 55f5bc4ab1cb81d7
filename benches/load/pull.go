package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// pull measures the bytes a server can send. The kernel drops them (MSG_TRUNC) instead of copying them to us, so
// that the load side is not what is measured.
func pull(o *options) (any, error) {
	a, err := authFor(o, "pull")
	if err != nil {
		return nil, err
	}
	var (
		total atomic.Int64
		done  atomic.Int64
		group sync.WaitGroup
		mu    sync.Mutex
		fault error
	)
	begin := time.Now()
	for range o.conns {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := pullLoop(o, a, begin.Add(o.time), &total, &done); err != nil {
				mu.Lock()
				fault = err
				mu.Unlock()
			}
		}()
	}
	group.Wait()
	seconds := time.Since(begin).Seconds()
	return map[string]any{"seconds": seconds, "gets": done.Load(), "mb_per_s": float64(total.Load()) / 1e6 / seconds}, fault
}

func pullLoop(o *options, a *auth, end time.Time, total, done *atomic.Int64) error {
	n, err := net.DialTimeout("tcp", o.addr, 10*time.Second)
	if err != nil {
		return err
	}
	defer n.Close()
	raw, err := n.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	_ = n.SetDeadline(end)
	request := []byte("GET " + o.path + " HTTP/1.1\r\nHost: " + o.addr + "\r\n" + a.line() + "\r\n")
	buffer := make([]byte, 4<<20)
	for time.Now().Before(end) {
		if _, err := n.Write(request); err != nil {
			return unlessTimeout(err)
		}
		left, err := readHead(n, buffer)
		if err != nil {
			return unlessTimeout(err)
		}
		for left > 0 {
			got, err := discard(raw, buffer[:min(left, int64(len(buffer)))])
			if err != nil {
				return unlessTimeout(err)
			}
			left -= got
			total.Add(got)
		}
		done.Add(1)
	}
	return nil
}

// readHead reads the head of a 200 answer and returns how much of its body has not been read yet.
func readHead(r io.Reader, buffer []byte) (int64, error) {
	var have int
	for {
		got, err := r.Read(buffer[have : have+1024])
		if err != nil {
			return 0, err
		}
		have += got
		if end := bytes.Index(buffer[:have], []byte("\r\n\r\n")); end >= 0 {
			length, err := contentLength(buffer[:end+2])
			return length - int64(have-end-4), err
		}
	}
}

var lengthHeader = []byte("\r\ncontent-length:")

// contentLength checks that the answer is a 200 and reads its length.
func contentLength(head []byte) (int64, error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("answer %.100q", head)
	}
	at := bytes.Index(bytes.ToLower(head), lengthHeader)
	if at < 0 {
		return 0, errors.New("no Content-Length")
	}
	value := head[at+len(lengthHeader):]
	return strconv.ParseInt(string(bytes.TrimSpace(value[:bytes.IndexByte(value, '\r')])), 10, 64)
}

func discard(raw syscall.RawConn, buffer []byte) (got int64, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		n, _, callErr := syscall.Recvfrom(int(fd), buffer, syscall.MSG_TRUNC)
		if callErr == syscall.EAGAIN || callErr == syscall.EINTR {
			return false
		}
		got, err = int64(n), callErr
		return true
	})
	if waitErr != nil {
		return 0, waitErr
	}
	if got == 0 && err == nil {
		err = io.ErrUnexpectedEOF
	}
	return got, err
}

func unlessTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// pushPullLayers: -conns clients at once, each pushes a layer of its own and pulls it back.
func pushPullLayers(o *options) (any, error) {
	a, err := authFor(o, "pull,push")
	if err != nil {
		return nil, err
	}
	m := newMint(o.size)
	o.n = o.conns
	all, wall, err := each(o, a, func(c *conn, n uint64) error {
		b := m.blob(n)
		if err := putBlob(c, o.repo, b); err != nil {
			return err
		}
		var got int64
		answer, err := c.once("GET", "/v2/"+o.repo+"/blobs/"+b.digest, "", nil, func(r io.Reader) error {
			var err error
			got, err = io.Copy(io.Discard, r)
			return err
		})
		if err != nil {
			return err
		}
		if answer.status != 200 || got != b.size {
			return fmt.Errorf("pulled %d bytes of %d, status %d", got, b.size, answer.status)
		}
		return nil
	})
	return all.summary(wall), err
}
