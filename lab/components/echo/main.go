// A stand-in for applications whose images are private: it says who answers, and fails its probes on demand.
//
//	SERVICE   the name it answers with                 (default: echo)
//	PORT      where it listens                         (default: 8080)
//	HEALTHY   false: /healthz answers 503
//	READY     false: /readyz answers 503
//	NODE_NAME, POD_NAME: from the downward API; VERSION: from the image
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// Until every kube-proxy knows that a pod ends, it is still sent requests.
const lastRequests = 3 * time.Second

func main() {
	var ready, healthy atomic.Bool
	ready.Store(setting("READY", "true") == "true")
	healthy.Store(setting("HEALTHY", "true") == "true")
	http.Handle("GET /{$}", answer())
	http.Handle("GET /healthz", probe(&healthy))
	http.Handle("GET /readyz", probe(&ready))

	server := &http.Server{Addr: ":" + setting("PORT", "8080"), ReadHeaderTimeout: 10 * time.Second}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-ended.Done()
	ready.Store(false)
	time.Sleep(lastRequests)
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func answer() http.Handler {
	host, _ := os.Hostname()
	text, err := json.Marshal(map[string]string{
		"service": setting("SERVICE", "echo"),
		"version": setting("VERSION", "unknown"),
		"node":    setting("NODE_NAME", ""),
		"pod":     setting("POD_NAME", host),
	})
	if err != nil {
		log.Fatal(err)
	}
	return http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		_, _ = response.Write(append(text, '\n'))
	})
}

func probe(state *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		if !state.Load() {
			http.Error(response, "no", http.StatusServiceUnavailable)
		}
	})
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
