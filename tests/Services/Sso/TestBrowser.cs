using System.Net;
using System.Text.RegularExpressions;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sso;

/// <summary>What a person's browser does: keeps cookies, follows nothing by itself, sends forms with their hidden fields and its origin.</summary>
internal sealed partial class TestBrowser(ServiceHost host)
{
    private readonly Dictionary<string, string> cookies = [];

    /// <summary>The instance that the next request goes to.</summary>
    public ServiceHost Host { get; set; } = host;
    public Dictionary<string, string> Cookies => cookies;
    public string? Origin { get; set; } = SsoFixture.PublicBase.TrimEnd('/');
    /// <summary>Where it says that it comes from; null: it is too old to say.</summary>
    public string? Site { get; set; }
    /// <summary>Other things that browsers say.</summary>
    public (string Name, string Value)? Says { get; set; }

    public Task<Visit> GetAsync(string address) => SendAsync(new HttpRequestMessage(HttpMethod.Get, PathOf(address)));

    public Task<Visit> PostAsync(string address, params (string Name, string Value)[] fields)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, PathOf(address))
        {
            Content = new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))),
        };
        if (Origin is not null) request.Headers.Add("Origin", Origin);
        return SendAsync(request);
    }

    /// <summary>Sends the form of a page: its hidden fields, and these.</summary>
    public Task<Visit> SubmitAsync(Visit page, string address, params (string Name, string Value)[] fields) =>
        PostAsync(address, [.. page.HiddenFields.Where(h => fields.All(f => f.Name != h.Name)), .. fields]);

    private async Task<Visit> SendAsync(HttpRequestMessage request)
    {
        using (request)
        {
            if (Site is not null) request.Headers.Add("Sec-Fetch-Site", Site);
            if (Says is var (name, text)) request.Headers.TryAddWithoutValidation(name, text);
            if (cookies.Count > 0) request.Headers.Add("Cookie", string.Join("; ", cookies.Select(c => $"{c.Key}={c.Value}")));
            using var response = await Host.Http.SendAsync(request);
            var set = response.Headers.TryGetValues("Set-Cookie", out var values) ? values.ToList() : [];
            foreach (var pair in set.Select(c => c.Split(';')[0].Split('=', 2)))
            {
                if (pair[1].Length == 0) cookies.Remove(pair[0]);
                else cookies[pair[0]] = pair[1];
            }
            return new Visit((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Location?.OriginalString, response, set);
        }
    }

    private static string PathOf(string address) => address.StartsWith(SsoFixture.PublicBase, StringComparison.Ordinal) ? "/" + address[SsoFixture.PublicBase.Length..] : address;
}

/// <summary>What came back.</summary>
internal sealed partial record Visit(int Status, string Body, string? Location, HttpResponseMessage Response, IReadOnlyList<string> SetCookies)
{
    public IEnumerable<(string Name, string Value)> HiddenFields => Hidden().Matches(Body)
        .Select(m => (WebUtility.HtmlDecode(m.Groups[1].Value), WebUtility.HtmlDecode(m.Groups[2].Value)));

    public string Header(string name) => Response.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : "";

    /// <summary>Where the button of a confirmation leads.</summary>
    public string Button => WebUtility.HtmlDecode(ButtonLink().Match(Body).Groups[1].Value);

    public Visit Require(int status)
    {
        Assert.True(Status == status, $"expected {status}, got {Status} {Location}: {Body}");
        return this;
    }

    [GeneratedRegex("""<input type="hidden" name="([^"]*)" value="([^"]*)">""")]
    private static partial Regex Hidden();
    [GeneratedRegex("""<a class="button" href="([^"]*)">""")]
    private static partial Regex ButtonLink();
}
