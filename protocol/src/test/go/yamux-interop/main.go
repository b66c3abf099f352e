// The other end of YamuxGoInteropTest: hashicorp/yamux as server or client on one TCP connection.
//
// Usage: yamux-interop server|client ADDRESS
//
// The first byte of each stream that it accepts is a command:
//
//	E           echo until EOF, then close
//	T           close at once and wait: the library resets the stream after its close timeout
//	H           count until EOF, answer with the count as decimal text, close
//	O n size    (two decimal numbers and a newline) open n streams at once, send size bytes on each,
//	            close the sending side, compare the echo; answer "ok" or the first error
//	R           answer "r", then read until an error, which a later Q tells
//	Q           answer with the errors of R so far, separated by spaces
//	G           say GoAway
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

var (
	resets     []string
	resetsLock sync.Mutex
)

func main() {
	conn, err := net.Dial("tcp", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	config := yamux.DefaultConfig()
	config.KeepAliveInterval = 50 * time.Millisecond
	config.StreamCloseTimeout = 2 * time.Second
	var session *yamux.Session
	if os.Args[1] == "server" {
		session, err = yamux.Server(conn, config)
	} else {
		session, err = yamux.Client(conn, config)
	}
	if err != nil {
		log.Fatal(err)
	}
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go serve(session, stream)
	}
}

func serve(session *yamux.Session, stream *yamux.Stream) {
	reader := bufio.NewReaderSize(stream, 32*1024)
	command, err := reader.ReadByte()
	if err != nil {
		stream.Close()
		return
	}
	switch command {
	case 'E':
		io.Copy(stream, reader)
		stream.Close()
	case 'T':
		stream.Close()
	case 'H':
		count, err := io.Copy(io.Discard, reader)
		fmt.Fprint(stream, count, err)
		stream.Close()
	case 'O':
		var n, size int
		fmt.Fscanln(reader, &n, &size)
		fmt.Fprint(stream, openMany(session, n, size))
		stream.Close()
	case 'R':
		fmt.Fprint(stream, "r")
		_, err := io.Copy(io.Discard, reader)
		resetsLock.Lock()
		resets = append(resets, strings.ReplaceAll(fmt.Sprint(err), " ", "-"))
		resetsLock.Unlock()
	case 'Q':
		resetsLock.Lock()
		fmt.Fprint(stream, strings.Join(resets, " "))
		resetsLock.Unlock()
		stream.Close()
	case 'G':
		session.GoAway()
		stream.Close()
	}
}

func openMany(session *yamux.Session, n, size int) string {
	results := make(chan error, n)
	for i := 0; i < n; i++ {
		go func() { results <- exchange(session, int64(i), size) }()
	}
	for i := 0; i < n; i++ {
		if err := <-results; err != nil {
			return err.Error()
		}
	}
	return "ok"
}

func exchange(session *yamux.Session, seed int64, size int) error {
	stream, err := session.OpenStream()
	if err != nil {
		return err
	}
	sent := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(sent)
	go func() {
		io.Copy(stream, bytes.NewReader(sent))
		stream.Close()
	}()
	echo, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	if sha256.Sum256(echo) != sha256.Sum256(sent) {
		return fmt.Errorf("stream %d: echo of %d bytes differs (expected: the %d sent)",
			stream.StreamID(), len(echo), size)
	}
	return nil
}
