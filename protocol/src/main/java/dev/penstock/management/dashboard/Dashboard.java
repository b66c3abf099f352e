package dev.penstock.management.dashboard;

import dev.penstock.management.api.Problems;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpEntity;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;

/// Serves the files of the dashboard, which hold no data: all that the page shows it asks of the
/// API, with its operator's token. Immutable; everything is read and compressed once.
///
/// The page is at [#HOME]. What it loads lies below a folder that is named by the content of all
/// files, so that browsers keep it for as long as it is the same and never mix two releases.
///
/// A page can only do what its headers let it: scripts, styles, pictures and calls of this very
/// server, nothing inline, no frames around it, no forms that go anywhere.
public final class Dashboard {
  /// Where the page is.
  public static final String HOME = "/dashboard/";

  private static final List<String> FILES =
      List.of(
          "actions.js",
          "api.js",
          "app.css",
          "app.js",
          "catalogue.js",
          "chart.js",
          "dom.js",
          "format.js",
          "history.js",
          "icon.svg",
          "list.js",
          "login.js",
          "overview.js",
          "page.js",
          "router.js",
          "sse.js",
          "table.js",
          "theme.js",
          "tunnel.js");

  private static final String PAGE = "index.html";

  /// What the page calls the folder of the other files.
  private static final String FOLDER = "{folder}";

  private static final String POLICY =
      String.join(
          "; ",
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          "connect-src 'self'",
          "img-src 'self'",
          "frame-ancestors 'none'",
          "base-uri 'none'",
          "form-action 'none'");

  private static final List<HttpHeader> PROTECTION =
      List.of(
          RawHeader.create("Content-Security-Policy", POLICY),
          RawHeader.create("X-Content-Type-Options", "nosniff"),
          RawHeader.create("X-Frame-Options", "DENY"),
          RawHeader.create("Referrer-Policy", "no-referrer"),
          RawHeader.create("Cross-Origin-Opener-Policy", "same-origin"),
          RawHeader.create("Cross-Origin-Resource-Policy", "same-origin"));

  private final Map<String, File> files = new HashMap<>();

  /// One file.
  ///
  /// @param caching how long browsers may keep it
  private record File(
      HttpEntity.Strict plain, HttpEntity.Strict compressed, String etag, String caching) {}

  /// The one of this process, made when a browser first asks: no node starts later for it.
  private static final class Shared {
    static final Dashboard DASHBOARD = new Dashboard();
  }

  /// The dashboard of this process.
  public static Dashboard shared() {
    return Shared.DASHBOARD;
  }

  /// Reads the files.
  Dashboard() {
    var contents = new HashMap<String, byte[]>();
    MessageDigest all = sha256();
    for (String name : FILES) {
      byte[] content = read(name);
      contents.put(name, content);
      all.update(name.getBytes(StandardCharsets.UTF_8));
      all.update(content);
    }
    String folder = hex(all.digest());
    contents.forEach((name, content) ->
        files.put(
            HOME + folder + "/" + name,
            file(name, content, "public, max-age=31536000, immutable")));
    String page = new String(read(PAGE), StandardCharsets.UTF_8).replace(FOLDER, folder);
    files.put(HOME, file(PAGE, page.getBytes(StandardCharsets.UTF_8), "no-cache"));
  }

  private static File file(String name, byte[] content, String caching) {
    byte[] etag = sha256().digest(content);
    return new File(
        HttpEntities.create(type(name), content),
        HttpEntities.create(type(name), gzip(content)),
        "\"" + hex(etag) + "\"",
        caching);
  }

  private static ContentType type(String name) {
    return switch (name.substring(name.lastIndexOf('.') + 1)) {
      case "html" -> ContentTypes.TEXT_HTML_UTF8;
      case "css" -> ContentTypes.parse("text/css; charset=UTF-8");
      case "js" -> ContentTypes.parse("text/javascript; charset=UTF-8");
      case "svg" -> ContentTypes.parse("image/svg+xml");
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static byte[] read(String name) {
    try (InputStream in = Dashboard.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("dashboard/" + name + ": not among the resources");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] gzip(byte[] content) {
    var bytes = new ByteArrayOutputStream(content.length);
    try (var gzip = new GZIPOutputStream(bytes)) {
      gzip.write(content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private static String hex(byte[] digest) {
    return HexFormat.of().formatHex(digest, 0, 8);
  }

  /// Whether a path is one of the dashboard's; `/` is, because it leads there.
  public static boolean owns(String path) {
    return path.equals("/") || path.equals("/dashboard") || path.startsWith(HOME);
  }

  /// Answers a request for one of its paths. The body was dropped.
  public HttpResponse answer(HttpRequest request) {
    return said(request).addHeaders(PROTECTION);
  }

  private HttpResponse said(HttpRequest request) {
    String path = request.getUri().path();
    // A HEAD request arrives here as a GET.
    if (!request.method().equals(HttpMethods.GET)) {
      return Problems.response(405, "not allowed (expected: GET or HEAD)")
          .addHeader(RawHeader.create("Allow", "GET, HEAD"));
    }
    if (!path.startsWith(HOME)) {
      return HttpResponse.create()
          .withStatus(StatusCodes.SEE_OTHER)
          .withEntity(ContentTypes.TEXT_PLAIN_UTF8, "see " + HOME + "\n")
          .addHeader(RawHeader.create("Location", HOME));
    }
    File file = files.get(path);
    if (file == null) {
      return Problems.response(404, "no such file (expected: " + HOME + ")")
          .addHeader(RawHeader.create("Cache-Control", "no-store"));
    }
    HttpResponse response =
        HttpResponse.create()
            .addHeader(RawHeader.create("ETag", file.etag()))
            .addHeader(RawHeader.create("Cache-Control", file.caching()))
            .addHeader(RawHeader.create("Vary", "Accept-Encoding"));
    if (isKnown(header(request, "If-None-Match"), file.etag())) {
      return response.withStatus(StatusCodes.NOT_MODIFIED);
    }
    return takesGzip(header(request, "Accept-Encoding"))
        ? response
            .addHeader(RawHeader.create("Content-Encoding", "gzip"))
            .withEntity(file.compressed())
        : response.withEntity(file.plain());
  }

  private static boolean isKnown(String known, String etag) {
    return Arrays.stream(known.split(",", -1)).anyMatch(it -> it.strip().equals(etag));
  }

  /// A weight of zero refuses a coding (RFC 9110 §12.4.2).
  private static boolean takesGzip(String codings) {
    return Arrays.stream(codings.toLowerCase(Locale.ROOT).replace(" ", "").split(",", -1))
        .anyMatch(
            it -> it.equals("gzip") || (it.startsWith("gzip;") && !it.matches("gzip;q=0(\\.0*)?")));
  }

  private static String header(HttpRequest request, String name) {
    return request.getHeader(name).map(HttpHeader::value).orElse("");
  }
}
