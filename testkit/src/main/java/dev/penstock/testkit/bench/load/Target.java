package dev.penstock.testkit.bench.load;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.penstock.testkit.bench.process.Children;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/// The running [target process][TargetMain]. One thread at a time.
public final class Target implements AutoCloseable {
  private final Children children;
  private final Process process;
  private final BufferedReader answers;
  private final OutputStream questions;
  private final int port;

  private Target(Children children, Process process) throws IOException {
    this.children = children;
    this.process = process;
    this.answers = process.inputReader(US_ASCII);
    this.questions = process.getOutputStream();
    this.port = Integer.parseInt(line());
  }

  /// Starts it on a free loopback port, with this JVM's class path.
  public static Target start(Children children) throws IOException {
    var java = Path.of(System.getProperty("java.home"), "bin", "java");
    var builder =
        new ProcessBuilder(
            List.of(
                java.toString(),
                "-XX:+UseSerialGC",
                "-Xms64m",
                "-Xmx256m",
                "-cp",
                Objects.requireNonNull(System.getProperty("java.class.path")),
                TargetMain.class.getName()));
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    return new Target(children, children.start(builder));
  }

  /// Where it listens, on 127.0.0.1, for TCP and for UDP.
  public int port() {
    return port;
  }

  /// Bytes that its sinks have taken since its start.
  public long taken() throws IOException {
    questions.write('\n');
    questions.flush();
    return Long.parseLong(line());
  }

  /// Datagrams that it has received since its start.
  public long datagrams() throws IOException {
    questions.write("datagrams\n".getBytes(US_ASCII));
    questions.flush();
    return Long.parseLong(line());
  }

  private String line() throws IOException {
    String line = answers.readLine();
    if (line == null) {
      throw new EOFException("the target process ended (expected: it runs until the end)");
    }
    return line;
  }

  @Override
  public void close() {
    children.stop(process);
  }
}
