package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// fire repeats one request on -conns connections from a single thread around epoll, the way wrk does; wrk itself
// waits for the body that a HEAD answer announces and never gets.
func fire(o *options) (any, error) {
	a, err := authFor(o, "pull")
	if err != nil {
		return nil, err
	}
	accept := "Accept: application/vnd.oci.image.manifest.v1+json\r\n"
	request := []byte(o.method + " " + o.path + " HTTP/1.1\r\nHost: " + o.addr + "\r\n" + accept + a.line() + "\r\n")
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return nil, err
	}
	lanes := map[int32]*lane{}
	for range o.conns {
		l, err := openLane(o.addr)
		if err != nil {
			return nil, err
		}
		l.head = o.method == "HEAD"
		lanes[int32(l.fd)] = l
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(l.fd)}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, l.fd, &event); err != nil {
			return nil, err
		}
	}
	all := make(latencies, 0, 1<<20)
	events := make([]syscall.EpollEvent, o.conns)
	begin := time.Now()
	for _, l := range lanes {
		if err := l.send(request, begin); err != nil {
			return nil, err
		}
	}
	for now := begin; now.Sub(begin) < o.time && len(all) < o.n; {
		ready, err := syscall.EpollWait(poll, events, 10_000)
		if err != nil && err != syscall.EINTR {
			return nil, err
		}
		if ready == 0 {
			return nil, errors.New("no answer for ten seconds")
		}
		for _, event := range events[:max(ready, 0)] {
			l := lanes[event.Fd]
			whole, err := l.receive()
			if err != nil {
				return nil, err
			}
			if !whole {
				continue
			}
			now = time.Now()
			all = append(all, now.Sub(l.sent))
			if err := l.send(request, now); err != nil {
				return nil, err
			}
		}
	}
	return all.summary(time.Since(begin)), nil
}

// lane is one connection with at most one request under way.
type lane struct {
	fd     int
	head   bool
	sent   time.Time
	buffer []byte
	have   int
	left   int64 // bytes of a body still to come, after its head was read
}

func openLane(addr string) (*lane, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	to := &syscall.SockaddrInet4{Port: tcp.Port}
	copy(to.Addr[:], tcp.IP.To4())
	if err := syscall.Connect(fd, to); err != nil {
		return nil, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return nil, err
	}
	return &lane{fd: fd, buffer: make([]byte, 64<<10)}, syscall.SetNonblock(fd, true)
}

func (l *lane) send(request []byte, now time.Time) error {
	l.sent, l.have, l.left = now, 0, 0
	n, err := syscall.Write(l.fd, request)
	if err == nil && n < len(request) {
		err = errors.New("short write")
	}
	return err
}

// receive reads what is there and says whether the answer is whole.
func (l *lane) receive() (bool, error) {
	n, err := syscall.Read(l.fd, l.buffer[l.have:])
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, errors.New("connection closed by the server")
	}
	if l.left > 0 {
		l.left -= int64(n)
		return l.left <= 0, nil
	}
	l.have += n
	end := bytes.Index(l.buffer[:l.have], []byte("\r\n\r\n"))
	if end < 0 {
		if l.have == len(l.buffer) {
			return false, errors.New("endless head")
		}
		return false, nil
	}
	if l.head {
		if !bytes.HasPrefix(l.buffer, []byte("HTTP/1.1 200")) {
			return false, fmt.Errorf("answer %.100q", l.buffer[:end])
		}
		return true, nil
	}
	length, err := contentLength(l.buffer[:end+2])
	l.left = length - int64(l.have-end-4)
	l.have = 0
	return l.left <= 0, err
}
