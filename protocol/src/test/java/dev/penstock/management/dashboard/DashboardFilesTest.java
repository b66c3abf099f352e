package dev.penstock.management.dashboard;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.pekko.http.javadsl.model.HttpEntity;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// How the dashboard's files are served, and rules that all of them keep.
class DashboardFilesTest {
  private static final Path SOURCES =
      Path.of("src/main/resources/dev/penstock/management/dashboard");
  private static final Pattern IMPORT = Pattern.compile("from '\\./([a-z]+\\.js)'");
  private static final Pattern LOADED = Pattern.compile("(?:src|href)=\"([^\"]+)\"");

  private final Dashboard dashboard = new Dashboard();

  private HttpResponse get(String path) {
    return dashboard.answer(HttpRequest.GET(path));
  }

  private static String header(HttpResponse response, String name) {
    return response.getHeader(name).map(HttpHeader::value).orElse("");
  }

  private static byte[] body(HttpResponse response) {
    return ((HttpEntity.Strict) response.entity()).getData().toArray();
  }

  private String page() {
    return new String(body(get(Dashboard.HOME)), UTF_8);
  }

  /// The folder of everything but the page.
  private String folder() {
    var loaded = LOADED.matcher(page());
    assertThat(loaded.find()).isTrue();
    return Dashboard.HOME + loaded.group(1).replaceAll("/.*", "/");
  }

  static List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> !name.equals("index.html"))
          .sorted()
          .toList();
    }
  }

  @Test
  void thePageIsAskedForEachTimeAndLoadsOnlyWhatIsServed() {
    HttpResponse answer = get(Dashboard.HOME);
    assertThat(answer.status().intValue()).isEqualTo(200);
    assertThat(header(answer, "Cache-Control")).isEqualTo("no-cache");
    assertThat(answer.entity().getContentType()).hasToString("text/html; charset=UTF-8");
    assertThat(LOADED.matcher(page()).results().map(it -> it.group(1)))
        .hasSize(3)
        .allSatisfy(path ->
            assertThat(get(Dashboard.HOME + path).status().intValue()).as(path).isEqualTo(200));
  }

  @ParameterizedTest
  @MethodSource("files")
  void everyFileIsServedForEverUnderTheNameOfItsContent(String file) throws IOException {
    HttpResponse answer = get(folder() + file);
    assertThat(answer.status().intValue()).isEqualTo(200);
    assertThat(header(answer, "Cache-Control")).isEqualTo("public, max-age=31536000, immutable");
    assertThat(body(answer)).isEqualTo(Files.readAllBytes(SOURCES.resolve(file)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "/dashboard",
        "/dashboard/",
        "/dashboard/nothing",
        "/dashboard/../etc/passwd",
        "/dashboard/%2e%2e/x"
      })
  void everyAnswerForbidsWhatThePageDoesNotNeed(String path) {
    HttpResponse answer = get(path);
    assertThat(header(answer, "Content-Security-Policy"))
        .isEqualTo(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
                + " img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    assertThat(header(answer, "X-Content-Type-Options")).isEqualTo("nosniff");
    assertThat(header(answer, "X-Frame-Options")).isEqualTo("DENY");
    assertThat(header(answer, "Referrer-Policy")).isEqualTo("no-referrer");
  }

  @ParameterizedTest
  @CsvSource({
    "GET,  /,                           303",
    "GET,  /dashboard,                  303",
    "GET,  /dashboard/index.html,       404",
    "GET,  /dashboard/app.js,           404",
    "GET,  /dashboard/0123456789abcdef/app.js, 404",
    "GET,  /dashboard//,                404",
    "GET,  /dashboard/../metrics,       404",
    "POST, /dashboard/,                 405",
    "POST, /,                           405",
  })
  void nothingElseIsServed(String method, String path, int status) {
    HttpRequest request = method.equals("GET") ? HttpRequest.GET(path) : HttpRequest.POST(path);
    assertThat(dashboard.answer(request).status().intValue()).isEqualTo(status);
  }

  @Test
  void whatABrowserHasIsNotSentAgain() {
    String etag = header(get(Dashboard.HOME), "ETag");
    HttpRequest again = HttpRequest.GET(Dashboard.HOME);
    assertThat(known(again, "\"other\", " + etag).status().intValue()).isEqualTo(304);
    assertThat(known(again, "\"other\"").status().intValue()).isEqualTo(200);
  }

  private HttpResponse known(HttpRequest request, String etags) {
    return dashboard.answer(request.addHeader(RawHeader.create("If-None-Match", etags)));
  }

  @ParameterizedTest
  @CsvSource({
    "'gzip, deflate, br', true",
    "'br;q=1, GZIP;q=0.5', true",
    "gzip;q=0, false",
    "'gzip; q=0.000', false",
    "identity, false",
    "'', false",
  })
  void filesAreCompressedForWhoTakesThat(String accepted, boolean compressed) throws IOException {
    String path = folder() + "app.js";
    HttpResponse answer =
        dashboard.answer(
            HttpRequest.GET(path).addHeader(RawHeader.create("Accept-Encoding", accepted)));
    assertThat(header(answer, "Content-Encoding")).isEqualTo(compressed ? "gzip" : "");
    assertThat(header(answer, "Vary")).isEqualTo("Accept-Encoding");
    byte[] body = body(answer);
    if (compressed) {
      try (var plain = new GZIPInputStream(new ByteArrayInputStream(body))) {
        assertThat(body.length).isLessThan(body(get(path)).length / 2);
        body = plain.readAllBytes();
      }
    }
    assertThat(body).isEqualTo(body(get(path)));
  }

  @ParameterizedTest
  @MethodSource("files")
  void noFileMakesMarkupOfTextOrLoadsFromElsewhere(String file) throws IOException {
    String text = Files.readString(SOURCES.resolve(file));
    assertThat(text.replace("http://www.w3.org/2000/svg", ""))
        .doesNotContainIgnoringCase("http:", "https:", "@import", "url(")
        .doesNotContain(
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "new Function",
            "javascript:",
            "srcdoc");
    assertThat(IMPORT.matcher(text).results().map(it -> it.group(1)).toList()).isSubsetOf(files());
  }

  @Test
  void thePageHasNothingInline() throws IOException {
    assertThat(Files.readString(SOURCES.resolve("index.html")))
        .doesNotContain("<style", "style=", " on")
        .doesNotContainPattern("<script[^>]*>[^<]");
  }
}
