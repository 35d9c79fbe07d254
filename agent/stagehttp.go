package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// carrier speaks to the store by URLs that the gateway signed. It has no key of its own.
type carrier struct {
	client *http.Client
	// sign asks for one URL.
	sign func(ctx context.Context, q question) (signedBlob, error)
	// slots are for what is on its way at once.
	slots    chan struct{}
	progress *progress
	// pause is between tries of what may pass, doubled up to 30 s; patience is how long nothing at all may come of it.
	pause, patience, stall time.Duration
}

// question is what the gateway is asked about one content.
type question struct {
	method string // get, put, join
	blob   blobBody
	list   bool // it is the order's manifest
	parts  int
	part   *partBody
}

func newClient(roots string) *http.Client {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if roots != "" {
		// An image need have no certificates at all.
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM([]byte(roots))
		config.RootCAs = pool
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 2 * time.Minute,
			MaxIdleConnsPerHost: parallel, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		},
		// What was signed is that URL.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var (
	errExpired = errors.New("the store does not take the URL (any more)")
	errGone    = errors.New("the store has it no more")
	errDigest  = errors.New("other bytes came than were to come")
)

// passing says that a failure may pass: the store is away, busy, or broke off.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

func statusOf(answer *http.Response) error {
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == 403 || code == 401:
		return errExpired
	case code == 404:
		return errGone
	case code >= 500 || code == 429 || code == 408:
		return passing{fmt.Errorf("the store answered HTTP %d", code)}
	default:
		return fmt.Errorf("the store answered HTTP %d", code)
	}
}

// refusal is the gateway's word on one content.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

// mostRefusals in a row of fresh URLs: then it is no URL that grew old.
const mostRefusals = 5

// again tries until it is done, or nothing came of it for as long as patience allows. Each try says whether it got further.
func (c *carrier) again(ctx context.Context, try func(ctx context.Context, signed signedBlob) (further bool, err error), q question) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	pause, since, refused := c.pause, time.Now(), 0
	for {
		signed, err := c.sign(ctx, q)
		if err != nil {
			return err
		}
		if signed.Refused != "" {
			return &refusal{signed.Refused}
		}
		if signed.There {
			return nil
		}
		for {
			var further bool
			further, err = try(ctx, signed)
			if further {
				pause, since, refused = c.pause, time.Now(), 0
			}
			var passes passing
			if err == nil || ctx.Err() != nil || !errors.As(err, &passes) {
				break
			}
			if time.Since(since) > c.patience {
				return fmt.Errorf("the store could not be reached for %v: %w", c.patience, err)
			}
			if !sleep(ctx, pause) {
				break
			}
			pause = min(2*pause, 30*time.Second)
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errExpired):
			return err
		}
		if refused++; refused >= mostRefusals {
			return fmt.Errorf("the store refuses fresh URLs too: are its clock and the gateway's the same?")
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// watched ends a request on which nothing moves, and notes how far it came.
type watched struct {
	io.Reader
	timer *time.Timer
	stall time.Duration
	mark  *mark
	at    int64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.timer.Reset(w.stall)
	w.at += int64(n)
	w.mark.reach(w.at)
	return n, err
}

// put sends a file's content, in parts if there are any. The store takes exactly the bytes whose hash was signed.
func (c *carrier) put(ctx context.Context, file io.ReaderAt, blob blobBody, list bool, parts *partList) error {
	if parts != nil {
		return c.putParts(ctx, file, blob, parts)
	}
	return c.putPiece(ctx, io.NewSectionReader(file, 0, blob.Size), question{method: "put", blob: blob, list: list}, c.progress.mark())
}

// putPiece sends what one request takes: all of a content, or one part.
func (c *carrier) putPiece(ctx context.Context, piece *io.SectionReader, q question, m *mark) error {
	err := c.again(ctx, func(ctx context.Context, signed signedBlob) (bool, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// Between the last byte and the answer a store may hash all of it.
		timer := time.AfterFunc(c.stall, cancel)
		defer timer.Stop()
		before := m.reached()
		var body io.Reader = http.NoBody
		if piece.Size() > 0 {
			body = &watched{Reader: io.NewSectionReader(piece, 0, piece.Size()), timer: timer, stall: c.stall, mark: m}
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, signed.URL, body)
		if err != nil {
			return false, err
		}
		request.ContentLength = piece.Size()
		setHeaders(request, signed.Headers)
		answer, err := c.client.Do(request)
		further := m.reached() > before
		if err != nil {
			return further, passing{bare(err)}
		}
		io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
		answer.Body.Close()
		return further, statusOf(answer)
	}, q)
	if err == nil {
		m.reach(piece.Size()) // it may have been there
	}
	return err
}

// landing is what is fetched into.
type landing interface {
	io.WriterAt
	Truncate(size int64) error
}

// get writes a blob into a file, going on at the byte that was written, and compares the whole.
func (c *carrier) get(ctx context.Context, file landing, blob blobBody) error {
	m := c.progress.mark()
	for try := 0; ; try++ {
		if err := file.Truncate(0); err != nil {
			return err
		}
		err := c.getOnce(ctx, file, blob, m)
		if !errors.Is(err, errDigest) || try == 2 {
			return err
		}
	}
}

func (c *carrier) getOnce(ctx context.Context, file landing, blob blobBody, m *mark) error {
	sum, at := sha256.New(), int64(0)
	finished := func() error {
		if at != blob.Size || hex.EncodeToString(sum.Sum(nil)) != blob.Sha256 {
			return errDigest
		}
		return nil
	}
	if blob.Size == 0 {
		return finished()
	}
	err := c.again(ctx, func(ctx context.Context, signed signedBlob) (further bool, err error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		timer := time.AfterFunc(c.stall, cancel)
		defer timer.Stop()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, signed.URL, nil)
		if err != nil {
			return false, err
		}
		setHeaders(request, signed.Headers)
		if at > 0 {
			request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		}
		answer, err := c.client.Do(request)
		if err != nil {
			return false, passing{bare(err)}
		}
		defer answer.Body.Close()
		if err := statusOf(answer); err != nil {
			return false, err
		}
		if at > 0 && answer.StatusCode != http.StatusPartialContent {
			// It knows no ranges: from the beginning.
			sum.Reset()
			at = 0
		}
		body := &watched{Reader: io.LimitReader(answer.Body, blob.Size-at+1), timer: timer, stall: c.stall, mark: m, at: at}
		buffer := make([]byte, 64<<10)
		for {
			n, err := body.Read(buffer)
			if n > 0 {
				if at+int64(n) > blob.Size {
					return false, errDigest
				}
				if _, err := file.WriteAt(buffer[:n], at); err != nil {
					return false, err
				}
				sum.Write(buffer[:n])
				at += int64(n)
				further = true
			}
			switch {
			case at == blob.Size:
				return true, nil
			case errors.Is(err, io.EOF):
				return further, passing{io.ErrUnexpectedEOF}
			case err != nil:
				return further, passing{bare(err)}
			}
		}
	}, question{method: "get", blob: blob})
	if err != nil {
		return err
	}
	return finished()
}

func setHeaders(request *http.Request, headers map[string]string) {
	for name, value := range headers {
		if http.CanonicalHeaderKey(name) != "Content-Length" { // net/http's own, from ContentLength
			request.Header.Set(name, value)
		}
	}
}

// bare leaves the URL out, which is as good as a key for an hour.
func bare(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}
