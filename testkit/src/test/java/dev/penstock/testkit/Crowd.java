package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// What makes a gateway full: thousands of tunnels, and clients that send something all the time.
final class Crowd {
  private Crowd() {}

  /// Registers tunnels of another cluster than the agent's, whose own syncs would end them.
  static void register(HttpClient http, Lab lab, int tunnels) throws Exception {
    String all =
        IntStream.rangeClosed(1, tunnels)
            .mapToObj(i ->
                """
                {"cluster_uuid":"other","protocol":"tcp","tunnel_id":"many-%1$d","gateway_name":"g",\
                "gateway_namespace":"ns","gateway_port":%1$d,"service_name":"service-%1$d",\
                "service_namespace":"ns","service_port":80,"routing_mode":"tunnel"}\
                """
                    .formatted(i))
            .collect(Collectors.joining(","));
    var answer =
        http.send(
            HttpRequest.newBuilder(
                    URI.create(
                        "http://127.0.0.1:"
                            + lab.listenPort()
                            + "/api/v1/clusters/agent/other/tunnels/sync"))
                .header("Authorization", "Bearer " + Lab.OTHER_TOKEN)
                .POST(
                    BodyPublishers.ofString(
                        "{\"cluster_uuid\":\"other\",\"tunnels\":[" + all + "]}"))
                .build(),
            BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
  }

  /// Sends 500 bytes, and takes of their echo what is there.
  static void sendSome(Socket client) {
    try {
      client.getOutputStream().write(new byte[500]);
      client.getInputStream().skipNBytes(client.getInputStream().available());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
