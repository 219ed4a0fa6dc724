// Reads requests of OTLP/HTTP with JSON, one a line, by the published protocol definitions and protobuf's own reader of JSON, which takes
// no key, number or enum that they do not have. Writes a line for each: the event names of its records, or why it is no request.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var request logs.ExportLogsServiceRequest
		if err := protojson.Unmarshal(lines.Bytes(), &request); err != nil {
			fmt.Println("fault:", err)
			continue
		}
		var names []string
		for _, resource := range request.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				for _, record := range scope.LogRecords {
					names = append(names, record.EventName)
				}
			}
		}
		fmt.Println(strings.Join(names, " "))
	}
}
