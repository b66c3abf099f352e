package dev.penstock.testkit.doctor;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;

/// A proxy that changes the heads of what it carries: the first of each connection, each way.
final class Meddler implements AutoCloseable {
  private final ServerSocket listener;
  private final int to;
  private final UnaryOperator<String> requests;
  private final UnaryOperator<String> answers;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();

  /// @param requests from the head of a request to what is sent instead; one that begins with
  ///   `HTTP/` is the answer, and nothing is sent
  /// @param answers from the head of an answer to what is handed back instead
  static Meddler start(int to, UnaryOperator<String> requests, UnaryOperator<String> answers)
      throws IOException {
    var meddler = new Meddler(to, requests, answers);
    Thread.ofVirtual().start(meddler::accept);
    return meddler;
  }

  private Meddler(int to, UnaryOperator<String> requests, UnaryOperator<String> answers)
      throws IOException {
    this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    this.to = to;
    this.requests = requests;
    this.answers = answers;
  }

  String url() {
    return "http://127.0.0.1:" + listener.getLocalPort();
  }

  private void accept() {
    try {
      while (true) {
        Socket client = listener.accept();
        open.add(client);
        Thread.ofVirtual().start(() -> carry(client));
      }
    } catch (IOException _) {
      // Closed.
    }
  }

  private void carry(Socket client) {
    try (client) {
      String request = requests.apply(head(client.getInputStream()));
      if (request.startsWith("HTTP/")) {
        client.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
        return;
      }
      try (var server = new Socket(InetAddress.getLoopbackAddress(), to)) {
        open.add(server);
        server.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
        Thread.ofVirtual().start(() -> pump(client, server));
        String answer = answers.apply(head(server.getInputStream()));
        client.getOutputStream().write(answer.getBytes(StandardCharsets.ISO_8859_1));
        server.getInputStream().transferTo(client.getOutputStream());
      }
    } catch (IOException _) {
      // One end has gone, and the other with it.
    }
  }

  private static void pump(Socket from, Socket to) {
    try {
      from.getInputStream().transferTo(to.getOutputStream());
      to.shutdownOutput();
    } catch (IOException _) {
      // One end has gone, and the other with it.
    }
  }

  private static String head(InputStream in) throws IOException {
    var head = new ByteArrayOutputStream();
    while (!head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
      int next = in.read();
      if (next < 0) {
        throw new IOException("closed");
      }
      head.write(next);
    }
    return head.toString(StandardCharsets.ISO_8859_1);
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : open) {
      socket.close();
    }
  }
}
