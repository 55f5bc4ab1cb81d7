package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// seedImage pushes one image with -n layers, tagged latest, and returns what the benchmarks read from it.
func seedImage(o *options) (any, error) {
	a, err := authFor(o, "pull,push")
	if err != nil {
		return nil, err
	}
	c := dial(o.addr, a)
	defer c.close()
	m := newMint(o.size)
	var layers, digests []string
	for n := range o.n {
		b := m.blob(uint64(n))
		if err := putBlob(c, o.repo, b); err != nil {
			return nil, err
		}
		layers = append(layers, descriptor(layerType, b))
		digests = append(digests, b.digest)
	}
	diffIDs, _ := json.Marshal(digests)
	config := blobOf([]byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":%s}}`, diffIDs)))
	if err := putBlob(c, o.repo, config); err != nil {
		return nil, err
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`,
		imageType, descriptor(configType, config), strings.Join(layers, ","))
	if err := putManifest(c, o.repo, "latest", manifest); err != nil {
		return nil, err
	}
	return map[string]any{"digest": blobOf([]byte(manifest)).digest, "size": len(manifest), "layers": digests}, nil
}

// seedTags pushes a manifest of its own for every -per tags, by digest with ?tag=…&tag=…; a server that does not
// know the parameter is seeded with -per 1, one PUT by tag each. Tags are v000000, v000001, …
func seedTags(o *options) (any, error) {
	a, err := authFor(o, "pull,push")
	if err != nil {
		return nil, err
	}
	c := dial(o.addr, a)
	defer c.close()
	m := newMint(1000)
	var layers []string
	for n := range 8 {
		b := m.blob(uint64(n))
		if err := putBlob(c, o.repo, b); err != nil {
			return nil, err
		}
		layers = append(layers, descriptor(layerType, b))
	}
	config := blobOf([]byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`))
	if err := putBlob(c, o.repo, config); err != nil {
		return nil, err
	}
	total := o.n
	o.n = (total + o.per - 1) / o.per
	all, wall, err := each(o, a, func(c *conn, n uint64) error {
		manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s],"annotations":{"n":"%d"}}`,
			imageType, descriptor(configType, config), strings.Join(layers, ","), n)
		if o.per == 1 {
			return putManifest(c, o.repo, tagName(n), manifest)
		}
		var tags []string
		for t := n * uint64(o.per); t < min(uint64(total), (n+1)*uint64(o.per)); t++ {
			tags = append(tags, "tag="+tagName(t))
		}
		return putManifest(c, o.repo, blobOf([]byte(manifest)).digest+"?"+strings.Join(tags, "&"), manifest)
	})
	if err == nil && len(all) < o.n {
		err = fmt.Errorf("only %d of %d requests in %v", len(all), o.n, o.time)
	}
	return all.summary(wall), err
}

func tagName(n uint64) string { return fmt.Sprintf("v%06d", n) }

// seedReferrers attaches -n artifacts of four types to the image latest.
func seedReferrers(o *options) (any, error) {
	count := o.n
	o.n = 1
	seeded, err := seedImage(o)
	if err != nil {
		return nil, err
	}
	subject := seeded.(map[string]any)
	a, err := authFor(o, "pull,push")
	if err != nil {
		return nil, err
	}
	c := dial(o.addr, a)
	defer c.close()
	empty := blobOf([]byte("{}"))
	if err := putBlob(c, o.repo, empty); err != nil {
		return nil, err
	}
	o.n = count
	all, _, err := each(o, a, func(c *conn, n uint64) error {
		artifact := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":"application/vnd.example.kind%d","config":%s,"layers":[%s],`+
			`"subject":{"mediaType":%q,"digest":%q,"size":%d},"annotations":{"org.opencontainers.image.created":"2026-01-01T00:00:00Z","n":"%d"}}`,
			imageType, n%4, descriptor(emptyType, empty), descriptor(emptyType, empty), imageType, subject["digest"], subject["size"], n)
		return putManifest(c, o.repo, blobOf([]byte(artifact)).digest, artifact)
	})
	if err == nil && len(all) < o.n {
		err = fmt.Errorf("only %d of %d referrers in %v", len(all), o.n, o.time)
	}
	return subject, err
}
