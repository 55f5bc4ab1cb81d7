package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// conn is one keep-alive connection. Requests are written as they stand, bodies by writev without a copy, so that
// the client costs little beside the server.
type conn struct {
	addr string
	auth *auth
	net  net.Conn
	r    *bufio.Reader
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func dial(addr string, auth *auth) *conn { return &conn{addr: addr, auth: auth} }

func (c *conn) close() {
	if c.net != nil {
		_ = c.net.Close()
		c.net = nil
	}
}

// do sends one request. A 401 is answered once with a fresh token, as registry clients do.
func (c *conn) do(method, path string, headers string, body ...[]byte) (*answer, error) {
	a, err := c.once(method, path, headers, body, nil)
	if err == nil && a.status == 401 && c.auth.user != "" {
		if err = c.auth.login(c.addr, a.header.Get("WWW-Authenticate")); err == nil {
			a, err = c.once(method, path, headers, body, nil)
		}
	}
	return a, err
}

// must is do for a request that has one right answer.
func (c *conn) must(status int, method, path string, headers string, body ...[]byte) (*answer, error) {
	a, err := c.do(method, path, headers, body...)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if a.status != status {
		return nil, fmt.Errorf("%s %s: %d instead of %d: %.300s", method, path, a.status, status, a.body)
	}
	return a, nil
}

// once sends the request and hands the body of the answer to sink, or keeps it.
func (c *conn) once(method, path, headers string, body [][]byte, sink func(io.Reader) error) (*answer, error) {
	if c.net == nil {
		n, err := net.DialTimeout("tcp", c.addr, 10*time.Second)
		if err != nil {
			return nil, err
		}
		c.net, c.r = n, bufio.NewReaderSize(n, 64<<10)
	}
	_ = c.net.SetDeadline(time.Now().Add(5 * time.Minute))
	var size int
	for _, part := range body {
		size += len(part)
	}
	head := method + " " + path + " HTTP/1.1\r\nHost: " + c.addr + "\r\n" + c.auth.line() + headers
	if size > 0 || method == "POST" || method == "PUT" || method == "PATCH" {
		head += fmt.Sprintf("Content-Length: %d\r\n", size)
	}
	buffers := append(net.Buffers{[]byte(head + "\r\n")}, body...)
	_, writeErr := buffers.WriteTo(c.net)
	// A server may refuse before it has read the body: its answer says more than the broken pipe.
	a, err := c.read(method, sink)
	if writeErr != nil {
		c.close()
		if err != nil {
			err = writeErr
		}
	}
	return a, err
}

func (c *conn) read(method string, sink ...func(io.Reader) error) (*answer, error) {
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.close()
		return nil, err
	}
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if len(sink) > 0 && sink[0] != nil && resp.StatusCode == 200 {
		err = sink[0](resp.Body)
	} else {
		a.body, err = drain(resp.Body)
	}
	_ = resp.Body.Close()
	if err != nil || resp.Close {
		c.close()
	}
	return a, err
}

// location is the path and query a Location header leads to.
func location(a *answer) (string, error) {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || u.Path == "" {
		return "", fmt.Errorf("no usable Location: %q", a.header.Get("Location"))
	}
	return u.RequestURI(), nil
}

func withDigest(path, digest string) string {
	if strings.Contains(path, "?") {
		return path + "&digest=" + digest
	}
	return path + "?digest=" + digest
}

// auth holds the Authorization header that all connections of a run share.
type auth struct {
	user string
	mu   sync.RWMutex
	held string
}

func (a *auth) line() string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.held == "" {
		return ""
	}
	return "Authorization: " + a.held + "\r\n"
}

var challengePart = regexp.MustCompile(`([a-z]+)="([^"]*)"`)

// login answers a challenge: Basic at once, Bearer with a token from its realm.
func (a *auth) login(addr, challenge string) error {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(a.user))
	held := basic
	if strings.HasPrefix(strings.ToLower(challenge), "bearer") {
		part := map[string]string{}
		for _, m := range challengePart.FindAllStringSubmatch(challenge, -1) {
			part[m[1]] = m[2]
		}
		realm, err := url.Parse(part["realm"])
		if err != nil {
			return err
		}
		query := url.Values{"service": {part["service"]}}
		if part["scope"] != "" {
			query.Set("scope", part["scope"])
		}
		c := dial(addr, &auth{held: basic})
		defer c.close()
		answer, err := c.must(200, "GET", realm.Path+"?"+query.Encode(), "")
		if err != nil {
			return err
		}
		var token struct {
			Token       string `json:"token"`
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(answer.body, &token); err != nil {
			return err
		}
		held = "Bearer " + token.Token
		if token.Token == "" {
			held = "Bearer " + token.AccessToken
		}
	}
	a.mu.Lock()
	a.held = held
	a.mu.Unlock()
	return nil
}

// authFor logs in before anything is measured, so that no measured request meets a challenge.
func authFor(o *options, actions string) (*auth, error) {
	a := &auth{user: o.user}
	if o.user == "" {
		return a, nil
	}
	c := dial(o.addr, &auth{})
	defer c.close()
	answer, err := c.do("GET", "/v2/", "")
	if err != nil || answer.status != 401 {
		return a, err
	}
	challenge := answer.header.Get("WWW-Authenticate")
	if !strings.Contains(challenge, "scope=") {
		challenge += fmt.Sprintf(`,scope="repository:%s:%s"`, o.repo, actions)
	}
	return a, a.login(o.addr, challenge)
}

func tokenCommand(o *options) (any, error) {
	actions := "pull,push"
	if o.kind == "pull" {
		actions = "pull"
	}
	a, err := authFor(o, actions)
	return map[string]string{"authorization": a.held}, err
}
