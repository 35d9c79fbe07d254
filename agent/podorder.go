package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// order is START with what came on the channels 3 and 4.
type order struct {
	start   *startBody
	path    string
	key     []byte // the team's; nil without one
	environ []string
	fault   error // the script could not be written
}

// awaitOrder keeps the script where it will be executed, and the environment in memory only.
func (p *pod) awaitOrder(l *link) (*order, error) {
	complete := make(chan struct{})
	defer close(complete)
	go func() {
		select {
		case <-p.ended:
			l.close(errors.New("ended before the start"))
		case <-complete:
		}
	}()
	o := &order{}
	var file *os.File
	var environ []byte
	closed := map[int]bool{}
	for !closed[chScript] || !closed[chEnv] {
		_, body, err := l.read()
		if err != nil {
			return nil, fmt.Errorf("the keeper went away before the start: %w", err)
		}
		if b, ok := body.(*innerTeam); ok {
			if o.key, err = hex.DecodeString(b.Key); err != nil {
				return nil, fmt.Errorf("the team's key: %w", err)
			}
			body = &b.Start
		}
		switch b := body.(type) {
		case *stageBody:
			p.stages.take(b)
		case *signedBody:
			p.stages.signed(b)
		case *startBody:
			o.start = b
			if b.isHelper() {
				o.fault = errors.Join(p.makeDir(), p.isMeant(b))
				return o, nil
			}
			file, o.fault = p.createScript()
		case dataBody:
			if o.start == nil {
				return nil, errors.New("data before START")
			}
			if b.Channel == chEnv {
				environ = append(environ, b.Data...)
			} else if o.fault == nil {
				_, o.fault = file.Write(b.Data)
			}
		case *closeBody:
			closed[b.Channel] = true
		}
	}
	if o.fault == nil {
		o.path, o.fault = file.Name(), file.Close()
	}
	if o.fault == nil {
		o.fault = p.isMeant(o.start)
	}
	o.environ = p.withHelpers(o.start.Env.apply(splitEnviron(environ)), o.start)
	return o, nil
}

// makeDir makes a directory of the user's own: the emptyDir around it is everybody's in this pod.
func (p *pod) makeDir() error {
	if err := os.MkdirAll(filepath.Dir(p.config.dir), 0o755); err != nil {
		return err
	}
	return os.Mkdir(p.config.dir, 0o700)
}

func (p *pod) createScript() (*os.File, error) {
	if err := p.makeDir(); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(p.config.dir, "slurm_script"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return nil, err
	}
	return file, file.Chmod(0o700)
}

func splitEnviron(block []byte) []string {
	var environ []string
	for entry := range strings.SplitSeq(string(block), "\x00") {
		if entry != "" {
			environ = append(environ, entry)
		}
	}
	return environ
}

// apply drops what cannot hold in a pod, then sets what holds instead.
func (c envChange) apply(environ []string) []string {
	var result []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := c.Set[name]
		if !replaced && !slices.ContainsFunc(c.Drop, func(pattern string) bool { return matches(pattern, name) }) {
			result = append(result, entry)
		}
	}
	for name, value := range c.Set {
		result = append(result, name+"="+value)
	}
	return result
}
