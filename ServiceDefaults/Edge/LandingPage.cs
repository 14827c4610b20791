using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>What a person sees who opens the server's address in a browser. No scripts, nothing loaded from elsewhere.</summary>
internal static class LandingPage
{
    private const string Style = """
        :root{color-scheme:light dark;--bg:#f4f7fb;--card:#fff;--ink:#17233a;--soft:#5a6b85;--line:#dfe7f1;--sea:#0b6bcb;--sea2:#0a4f96}
        @media(prefers-color-scheme:dark){:root{--bg:#0d1522;--card:#141f31;--ink:#e8eef8;--soft:#9db0cb;--line:#24344d;--sea:#5aa9f7;--sea2:#86c1fb}}
        *{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--bg);color:var(--ink);
        font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        main{max-width:34rem;width:100%;background:var(--card);border:1px solid var(--line);border-radius:18px;padding:2.5rem;box-shadow:0 12px 40px rgb(16 42 80/.08)}
        svg{display:block;width:100%;height:72px;margin-bottom:1.25rem;color:var(--sea)}h1{margin:0 0 .5rem;font-size:1.6rem;letter-spacing:-.01em}
        p{margin:.75rem 0;color:var(--soft)}p a{color:var(--sea)}b{color:var(--ink);overflow-wrap:anywhere}code{background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.1rem .4rem;overflow-wrap:anywhere}
        a.go{display:inline-block;margin-top:.75rem;padding:.7rem 1.2rem;border-radius:10px;background:var(--sea);color:var(--card);text-decoration:none;font-weight:600}
        a.go:hover,a.go:focus{background:var(--sea2)}footer{margin-top:1.75rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.875rem;color:var(--soft)}footer a{color:inherit}
        """;

    public static EdgeDocument Create(HomeserverConfig config)
    {
        var server = HtmlEncoder.Default.Encode(config.ServerName);
        var address = config.PublicBaseUrl is { } url
            ? $"choose this homeserver: <code>{HtmlEncoder.Default.Encode(url.TrimEnd('/'))}</code>"
            : "choose the address of this page as the homeserver.";
        var page = $$"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1">
            <title>{{server}} · Armada</title>
            <style>{{Style}}</style>
            </head>
            <body>
            <main>
            <svg viewBox="0 0 320 72" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
            <path d="M160 6v40M160 10l34 30h-34M154 16l-26 24h26M116 50h88l-12 14h-64z"/>
            <path d="M62 26v24M62 28l20 18H62M34 52h58l-8 10H42zM258 26v24M258 28l20 18h-20M230 52h58l-8 10h-42z" opacity=".55"/>
            <path d="M6 69q10-5 20 0t20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0 20 0" opacity=".35"/>
            </svg>
            <h1>Armada is running</h1>
            <p>This is the <a href="https://matrix.org">Matrix</a> homeserver of <b>{{server}}</b>. Everything is well; there is just nothing to see here in a browser.</p>
            <p>To talk, take a Matrix client and {{address}}</p>
            <a class="go" href="https://matrix.org/ecosystem/clients/" rel="noreferrer">Find a client</a>
            <footer>For programs: <a href="/_matrix/client/versions">/_matrix/client/versions</a></footer>
            </main>
            </body>
            </html>

            """;
        var style = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)));
        return new("text/html; charset=utf-8", Encoding.UTF8.GetBytes(page), $"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    }
}
