package dev.penstock.testkit;

import static java.util.Objects.requireNonNull;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.StreamSupport;

/// A headless Chromium that looks at the dashboard, by its DevTools protocol. Scripts of tests come
/// in that way, too, so that the page's own rules hold as they are.
final class Browser implements AutoCloseable {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));
  private static final Duration OFTEN = Duration.ofMillis(20);
  private static final Path PICTURES = Path.of("target", "dashboard");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Process process;
  private final HttpClient http;
  private final WebSocket socket;
  private final Replies replies;

  /// A key that is no letter.
  enum Key {
    TAB("Tab", 9, ""),
    ENTER("Enter", 13, "\r"),
    ESCAPE("Escape", 27, ""),
    SPACE(" ", 32, " "),
    SLASH("/", 191, "/");

    private final String name;
    private final int code;
    private final String text;

    Key(String name, int code, String text) {
      this.name = name;
      this.code = code;
      this.text = text;
    }
  }

  private Browser(Process process, HttpClient http, WebSocket socket, Replies replies) {
    this.process = process;
    this.http = http;
    this.socket = socket;
    this.replies = replies;
  }

  /// Starts one with an empty profile below a directory.
  static Browser start(Path directory) throws Exception {
    Path profile = directory.resolve("chromium");
    Process process =
        new ProcessBuilder(
                Programs.require("chromium"),
                "--headless=new",
                // Root, which CI is, has no sandbox in Chromium; a container's /dev/shm is small.
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--no-first-run",
                "--window-size=1280,900",
                "--user-data-dir=" + profile,
                "--remote-debugging-port=0",
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("chromium.log").toFile())
            .start();
    Path told = profile.resolve("DevToolsActivePort");
    await("chromium")
        .atMost(PATIENCE)
        .until(() -> Files.exists(told) && Files.readAllLines(told).size() == 2);
    var http = HttpClient.newHttpClient();
    String targets = "http://127.0.0.1:" + Files.readAllLines(told).getFirst() + "/json/list";
    JsonNode page =
        await()
            .atMost(PATIENCE)
            .until(
                () ->
                    JSON.readTree(
                            http.send(
                                    HttpRequest.newBuilder(URI.create(targets)).build(),
                                    BodyHandlers.ofString())
                                .body())
                        .path(0),
                it -> it.path("type").asText().equals("page"));
    var replies = new Replies();
    WebSocket socket =
        http.newWebSocketBuilder()
            .buildAsync(URI.create(page.path("webSocketDebuggerUrl").asText()), replies)
            .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    var browser = new Browser(process, http, socket, replies);
    for (String part : List.of("Page", "Runtime", "Log", "Performance")) {
      browser.call(part + ".enable", Map.of());
    }
    return browser;
  }

  /// What Chromium says.
  private static final class Replies implements WebSocket.Listener {
    private static final int MOST_ERRORS = 1_000;

    private final StringBuilder part = new StringBuilder();
    private final Map<Integer, CompletableFuture<JsonNode>> calls = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<String> errors = new ConcurrentLinkedQueue<>();
    private final AtomicInteger ids = new AtomicInteger();
    private final AtomicInteger loads = new AtomicInteger();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      part.append(data);
      if (last) {
        String message = part.toString();
        part.setLength(0);
        try {
          take(JSON.readTree(message));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
      from.request(1);
      return CompletableFuture.completedFuture(null);
    }

    private void take(JsonNode message) {
      if (message.has("id")) {
        requireNonNull(calls.remove(message.get("id").asInt())).complete(message);
        return;
      }
      JsonNode what = message.path("params");
      switch (message.path("method").asText()) {
        case "Page.loadEventFired" -> loads.incrementAndGet();
        case "Runtime.exceptionThrown" -> error(what.toString());
        case "Log.entryAdded" -> {
          if (what.at("/entry/level").asText().equals("error")) {
            error(what.at("/entry/text").asText());
          }
        }
        case "Runtime.consoleAPICalled" -> {
          if (what.path("type").asText().equals("error")) {
            error(what.path("args").toString());
          }
        }
        default -> {
          // Nothing that a test asks for.
        }
      }
    }

    private void error(String text) {
      if (errors.size() < MOST_ERRORS) {
        errors.add(text);
      }
    }
  }

  private synchronized JsonNode call(String method, Map<String, ?> parameters) {
    int id = replies.ids.incrementAndGet();
    var reply = new CompletableFuture<JsonNode>();
    replies.calls.put(id, reply);
    var message = JSON.createObjectNode().put("id", id).put("method", method);
    message.set("params", JSON.valueToTree(parameters));
    try {
      socket.sendText(message.toString(), true).get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      JsonNode answer = reply.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      if (answer.has("error")) {
        throw new AssertionError(method + ": " + answer.get("error"));
      }
      return answer.get("result");
    } catch (Exception e) {
      throw new AssertionError(method, e);
    }
  }

  /// Loads a page anew.
  void open(URI uri) {
    int before = replies.loads.get();
    call("Page.navigate", Map.of("url", uri.toString()));
    await(uri.toString()).atMost(PATIENCE).until(() -> replies.loads.get() > before);
  }

  /// Goes to a place of the page, such as `#/streams`.
  void go(String hash) {
    script("location.hash = arguments[0]", hash);
  }

  String address() {
    return script("return location.href").asText();
  }

  /// Runs the body of a function, which may `await`, and returns what it returns.
  JsonNode script(String body, Object... arguments) {
    String given;
    try {
      given = JSON.writeValueAsString(Arrays.asList(arguments));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    JsonNode result =
        call(
            "Runtime.evaluate",
            Map.of(
                "expression",
                "(async function() {" + body + "\n}).apply(null, " + given + ")",
                "awaitPromise",
                true,
                "returnByValue",
                true));
    if (result.has("exceptionDetails")) {
      throw new AssertionError(result.get("exceptionDetails").toString());
    }
    return result.at("/result/value");
  }

  /// Waits for an element that is to be seen.
  void awaitElement(String css) {
    await(css)
        .atMost(PATIENCE)
        .pollInterval(OFTEN)
        .until(() ->
            script("return document.querySelector(arguments[0])?.checkVisibility() ?? false", css)
                .asBoolean());
  }

  /// What is to be read in an element, as soon as it is there.
  String read(String css) {
    awaitElement(css);
    return script("return document.querySelector(arguments[0]).innerText", css).asText();
  }

  void click(String css) {
    awaitElement(css);
    script("document.querySelector(arguments[0]).click()", css);
  }

  /// Puts the focus on an element and marks what was written there.
  void focus(String css) {
    awaitElement(css);
    script("const it = document.querySelector(arguments[0]); it.focus(); it.select?.()", css);
  }

  /// What has the focus.
  String focused() {
    return script("const it = document.activeElement; return it.id ? '#' + it.id : it.innerText")
        .asText();
  }

  int count(String css) {
    return script("return document.querySelectorAll(arguments[0]).length", css).asInt();
  }

  /// What is to be read in the page now.
  String text() {
    return script("return document.body.innerText").asText();
  }

  /// Waits until a text is to be read.
  void awaitText(String text) {
    await("\"" + text + "\" in the page")
        .atMost(PATIENCE)
        .pollInterval(OFTEN)
        .until(() ->
            script("return document.body.innerText.includes(arguments[0])", text).asBoolean());
  }

  /// Presses a button, of the page or of the row that has a text.
  void press(String row, String button) {
    await("button " + button + " of " + row)
        .atMost(PATIENCE)
        .until(() ->
            script(
                    """
                    const row = arguments[0] === '' ? document
                      : [...document.querySelectorAll('tbody tr')]
                        .find((it) => it.innerText.includes(arguments[0]));
                    const button = row && [...row.querySelectorAll('button')]
                      .find((it) => it.innerText === arguments[1]);
                    button?.focus();
                    button?.click();
                    return Boolean(button);
                    """,
                    row,
                    button)
                .asBoolean());
  }

  /// Types a text where the focus is.
  void type(String text) {
    call("Input.insertText", Map.of("text", text));
  }

  void type(Key key) {
    for (String type : List.of("keyDown", "keyUp")) {
      call(
          "Input.dispatchKeyEvent",
          Map.of(
              "type", type,
              "key", key.name,
              "code", key.name,
              "windowsVirtualKeyCode", key.code,
              "text", type.equals("keyDown") ? key.text : ""));
    }
  }

  /// What the system prefers, `light` or `dark`.
  void prefer(String scheme) {
    call(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
  }

  /// Looks at the page as a phone does.
  void asPhone() {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", 390, "height", 844, "deviceScaleFactor", 2, "mobile", true));
  }

  /// Looks at the page as a desk's screen does.
  void asDesk() {
    call("Emulation.clearDeviceMetricsOverride", Map.of());
  }

  /// Keeps a picture below `target/dashboard`.
  void picture(String name) {
    JsonNode picture = call("Page.captureScreenshot", Map.of());
    try {
      Files.createDirectories(PICTURES);
      Files.write(
          PICTURES.resolve(name + ".png"),
          Base64.getDecoder().decode(picture.get("data").asText()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// What axe finds that is serious or critical, a text for each.
  List<String> barriers() {
    call("Runtime.evaluate", Map.of("expression", Axe.SCRIPT));
    JsonNode found =
        script(
            """
            const { violations } = await axe.run(document, { resultTypes: ['violations'] });
            return violations
              .filter((it) => ['serious', 'critical'].includes(it.impact))
              .map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(' | ')}`);
            """);
    return StreamSupport.stream(found.spliterator(), false).map(JsonNode::asText).toList();
  }

  private static final class Axe {
    static final String SCRIPT = read();

    private static String read() {
      try (InputStream in = Browser.class.getResourceAsStream("/axe.min.js")) {
        return new String(requireNonNull(in, "axe.min.js").readAllBytes(), StandardCharsets.UTF_8);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /// Numbers of Chromium's own about the page, such as `JSHeapUsedSize` and `TaskDuration`.
  double metric(String name) {
    for (JsonNode metric : call("Performance.getMetrics", Map.of()).get("metrics")) {
      if (metric.get("name").asText().equals(name)) {
        return metric.get("value").asDouble();
      }
    }
    throw new AssertionError(name + ": no such metric");
  }

  /// Has the page's garbage collected.
  void collectGarbage() {
    call("HeapProfiler.collectGarbage", Map.of());
  }

  /// What went wrong in the page since this was asked for, broken rules among it.
  List<String> errors() {
    var errors = List.copyOf(replies.errors);
    replies.errors.removeAll(errors);
    return errors;
  }

  @Override
  public void close() {
    socket.abort();
    process.destroy();
    try {
      if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    http.close();
  }
}
