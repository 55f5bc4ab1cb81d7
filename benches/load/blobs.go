package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
)

// blob is content and its digest; the parts are shared between blobs and written one after the other.
type blob struct {
	digest string
	size   int64
	parts  [][]byte
}

func digestOf(h hash.Hash) string { return fmt.Sprintf("sha256:%x", h.Sum(nil)) }

func blobOf(content []byte) blob {
	h := sha256.New()
	h.Write(content)
	return blob{digestOf(h), int64(len(content)), [][]byte{content}}
}

// mint makes any number of different blobs of one size at the price of one: all share the same random bytes but
// the last sixteen, and hashing goes on from the state after the shared part.
type mint struct {
	base  []byte
	state []byte
	salt  [8]byte
}

const stamp = 16

func newMint(size int64) *mint {
	m := &mint{base: make([]byte, max(0, size-stamp))}
	_, _ = rand.Read(m.base)
	_, _ = rand.Read(m.salt[:])
	h := sha256.New()
	h.Write(m.base)
	m.state, _ = h.(encoding.BinaryMarshaler).MarshalBinary()
	return m
}

func (m *mint) blob(n uint64) blob {
	tail := binary.BigEndian.AppendUint64(m.salt[:len(m.salt):len(m.salt)], n)
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.state); err != nil {
		panic(err)
	}
	h.Write(tail)
	return blob{digestOf(h), int64(len(m.base) + len(tail)), [][]byte{m.base, tail}}
}

// bulk is one large blob that is never held in memory: a random block repeated, stamped so that no two blocks
// (and no two bulks) are the same.
type bulk struct {
	size   int64
	digest string
	block  []byte
	salt   [8]byte
}

func newBulk(size int64) *bulk {
	b := &bulk{size: size, block: make([]byte, 1<<20)}
	_, _ = rand.Read(b.block)
	_, _ = rand.Read(b.salt[:])
	h := sha256.New()
	_ = b.each(func(parts ...[]byte) error {
		for _, part := range parts {
			h.Write(part)
		}
		return nil
	})
	b.digest = digestOf(h)
	return b
}

// each yields the content block by block, every block as its stamp and its rest.
func (b *bulk) each(yield func(parts ...[]byte) error) error {
	for at := int64(0); at < b.size; at += int64(len(b.block)) {
		head := binary.BigEndian.AppendUint64(b.salt[:len(b.salt):len(b.salt)], uint64(at))
		length := min(int64(len(b.block)), b.size-at)
		if length <= int64(len(head)) {
			return yield(head[:length])
		}
		if err := yield(head, b.block[len(head):length]); err != nil {
			return err
		}
	}
	return nil
}
