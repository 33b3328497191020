//go:build ignore

// gorilla/websocket as a client, with the Origin of a page of the same host.
package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gorilla/websocket"
)

func read(socket *websocket.Conn) {
	for {
		kind, message, err := socket.ReadMessage()
		if err != nil {
			code, text := websocket.CloseAbnormalClosure, err.Error()
			if closed, ok := err.(*websocket.CloseError); ok {
				code, text = closed.Code, closed.Text
			}
			fmt.Printf("closed %d %s\n", code, text)
			os.Exit(0)
		}
		if kind == websocket.TextMessage {
			fmt.Printf("text %s\n", message)
		} else {
			fmt.Printf("binary %d\n", len(message))
		}
	}
}

func main() {
	headers := http.Header{"Origin": {"http://" + os.Args[1]}}
	socket, answer, err := websocket.DefaultDialer.Dial("ws://"+os.Args[1]+"/chat/echo", headers)
	if err != nil {
		if answer == nil {
			panic(err)
		}
		fmt.Printf("refused %d\n", answer.StatusCode)
		return
	}
	fmt.Println("open")
	go read(socket)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "text":
			socket.WriteMessage(websocket.TextMessage, []byte(argument))
		case "binary":
			length, _ := strconv.Atoi(argument)
			socket.WriteMessage(websocket.BinaryMessage, make([]byte, length))
		case "dismiss":
			socket.WriteMessage(websocket.TextMessage, []byte("dismiss"))
		case "leave":
			last := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			socket.WriteMessage(websocket.CloseMessage, last)
		}
	}
}
