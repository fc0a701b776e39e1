// The work of the benchmark on net/http: scs-server bare|memory|redis PORT. REDIS_URL names the server of the mode redis.
package main

import (
	"encoding/gob"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gomodule/redigo/redis"
)

// The data of a session, as bench/servers/work.mjs has it.
type item struct {
	Sku string
	Qty int
}

var cart = []item{{"mug-large-blue", 2}, {"tea-assam-250", 1}, {"kettle-1700-steel", 1}, {"spoon-set-6", 3}}

var seen = []string{"mug-large-blue", "mug-small-red", "tea-assam-250", "tea-sencha-100"}

func main() {
	gob.Register(cart)
	gob.Register(seen)
	mux := http.NewServeMux()
	var handler http.Handler = mux
	switch mode := os.Args[1]; mode {
	case "bare":
		bare(mux)
	case "memory", "redis":
		sessions := scs.New()
		// On plain http.
		sessions.Cookie.Secure = false
		sessions.Store = memstore.New()
		if mode == "redis" {
			sessions.Store = redisstore.New(pool())
		}
		withSessions(mux, sessions)
		handler = sessions.LoadAndSave(mux)
	default:
		log.Fatalf("no such mode: %s", mode)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], handler))
}

func bare(mux *http.ServeMux) {
	var visits atomic.Int64
	mux.HandleFunc("GET /read", func(w http.ResponseWriter, _ *http.Request) { answer(w, "dark") })
	mux.HandleFunc("GET /write", func(w http.ResponseWriter, _ *http.Request) { answer(w, fmt.Sprint(visits.Add(1))) })
}

func withSessions(mux *http.ServeMux, sessions *scs.SessionManager) {
	mux.HandleFunc("GET /create", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		sessions.Put(ctx, "theme", "dark")
		sessions.Put(ctx, "visits", 0)
		sessions.Put(ctx, "language", "en-GB")
		sessions.Put(ctx, "currency", "EUR")
		sessions.Put(ctx, "country", "Great Britain")
		sessions.Put(ctx, "cart", cart)
		sessions.Put(ctx, "seen", seen)
		answer(w, "new")
	})
	mux.HandleFunc("GET /read", func(w http.ResponseWriter, r *http.Request) {
		answer(w, sessions.GetString(r.Context(), "theme"))
	})
	mux.HandleFunc("GET /write", func(w http.ResponseWriter, r *http.Request) {
		visits := sessions.GetInt(r.Context(), "visits") + 1
		sessions.Put(r.Context(), "visits", visits)
		answer(w, fmt.Sprint(visits))
	})
}

// answer sends 100 bytes, which begin with the value.
func answer(w http.ResponseWriter, value string) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, value+" "+strings.Repeat(".", 99-len(value)))
}

// pool keeps a connection for each of the load's, so that none is opened while it is measured.
func pool() *redis.Pool {
	return &redis.Pool{
		MaxIdle: 64,
		Dial:    func() (redis.Conn, error) { return redis.DialURL(os.Getenv("REDIS_URL")) },
	}
}
