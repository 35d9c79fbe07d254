package main

import (
	"fmt"
	"strings"
)

// say2 frames an answer of version 2; a thread's number in the question is its answer's too.
func (c *pmiClient) say2(thread, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if thread != "" {
		name, rest, _ := strings.Cut(text, ";")
		text = name + ";thrid=" + thread + ";" + rest
	}
	c.reply(fmt.Sprintf("%6d%s", len(text), text))
}

func (s *pmiServer) answer2(c *pmiClient, f map[string]string) {
	thread := f["thrid"]
	switch f["cmd"] {
	case "fullinit":
		c.say2(thread, "cmd=fullinit-response;rc=0;pmi-version=2;pmi-subversion=0;rank=%d;size=%d;appnum=0;"+
			"debugged=FALSE;pmiverbose=FALSE;spawner-jobid=;", c.task, len(s.plan.TaskNode))
	case "job-getid":
		c.say2(thread, "cmd=job-getid-response;rc=0;jobid=%s;", s.kvs())
	case "kvs-put":
		rc := 0
		if !s.put(f["key"], f["value"]) {
			rc = 14 // PMI2_ERR_NOMEM
		}
		c.say2(thread, "cmd=kvs-put-response;rc=%d;", rc)
	case "kvs-get":
		value, found := s.get(f["key"])
		c.say2(thread, "cmd=kvs-get-response;rc=0;found=%s;value=%s;", pmiBool(found), value)
	case "kvs-fence":
		s.enterFence(c, thread, func(all *pmiClient) {
			all.mu.Lock()
			thread := all.thread
			all.mu.Unlock()
			all.say2(thread, "cmd=kvs-fence-response;rc=0;")
		})
	case "info-getjobattr":
		value, found := s.jobAttribute(f["key"])
		c.say2(thread, "cmd=info-getjobattr-response;rc=0;found=%s;value=%s;", pmiBool(found), value)
	case "info-putnodeattr":
		s.putNode(c, f["key"], f["value"])
		c.say2(thread, "cmd=info-putnodeattr-response;rc=0;")
	case "info-getnodeattr":
		s.getNode(c, thread, f["key"], strings.EqualFold(f["wait"], "TRUE"))
	case "finalize":
		c.mu.Lock()
		c.finalized = true
		c.mu.Unlock()
		c.say2(thread, "cmd=finalize-response;rc=0;")
	case "abort":
		s.abort()
	case "spawn", "name-publish", "name-unpublish", "name-lookup", "job-connect", "job-disconnect":
		c.say2(thread, "cmd=%s-response;rc=1;errmsg=not supported;", f["cmd"])
	}
}

func pmiBool(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

func (s *pmiServer) jobAttribute(key string) (string, bool) {
	if key == "universeSize" {
		return fmt.Sprint(len(s.plan.TaskNode)), true
	}
	return s.get(key)
}

func (s *pmiServer) putNode(c *pmiClient, key, value string) {
	node := s.plan.TaskNode[c.task]
	s.mu.Lock()
	s.nodes[node][key] = value
	var now, later []pmiWait
	for _, w := range s.waiting {
		if w.node == node && w.key == key {
			now = append(now, w)
		} else {
			later = append(later, w)
		}
	}
	s.waiting = later
	s.mu.Unlock()
	for _, w := range now {
		w.client.say2(w.thread, "cmd=info-getnodeattr-response;rc=0;found=TRUE;value=%s;", value)
	}
}

func (s *pmiServer) getNode(c *pmiClient, thread, key string, wait bool) {
	node := s.plan.TaskNode[c.task]
	s.mu.Lock()
	value, found := s.nodes[node][key]
	if !found && wait {
		s.waiting = append(s.waiting, pmiWait{c, node, key, thread})
	}
	s.mu.Unlock()
	if found || !wait {
		c.say2(thread, "cmd=info-getnodeattr-response;rc=0;found=%s;value=%s;", pmiBool(found), value)
	}
}
