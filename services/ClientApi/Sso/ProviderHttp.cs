using System.Net.Http.Headers;
using System.Text;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso;

/// <summary>An answer of a provider.</summary>
internal sealed record ProviderAnswer(int Status, string Body);

/// <summary>
/// Requests to providers. Their addresses are the administrator's: the ranges that are closed to what users name are open to them. Answers are bounded
/// in size and time; redirects are not followed.
/// </summary>
internal sealed class ProviderHttp : IDisposable
{
    private const int MaxBytes = 2 * 1024 * 1024;
    private readonly HttpClient http;

    public ProviderHttp(HomeserverConfig config)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        if (!config.OutboundVerifyCertificates) handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(10), MaxResponseContentBufferSize = MaxBytes };
    }

    public Task<ProviderAnswer> GetAsync(string url, CancellationToken ct, string? bearer = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (bearer is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        return SendAsync(request, ct);
    }

    public Task<ProviderAnswer> PostAsync(string url, IEnumerable<KeyValuePair<string, string>> form, AuthenticationHeaderValue? authorization, CancellationToken ct)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new FormUrlEncodedContent(form) };
        request.Headers.Authorization = authorization;
        return SendAsync(request, ct);
    }

    /// <summary>A provider that cannot be reached is a <see cref="ProviderException"/>.</summary>
    private async Task<ProviderAnswer> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        using (request)
        {
            request.Headers.UserAgent.ParseAdd("Armada");
            request.Headers.Accept.ParseAdd("application/json, application/xml;q=0.9, */*;q=0.5");
            try
            {
                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseContentRead, ct);
                return new((int)response.StatusCode, Encoding.UTF8.GetString(await response.Content.ReadAsByteArrayAsync(ct)));
            }
            catch (Exception e) when ((e is HttpRequestException or TaskCanceledException) && !ct.IsCancellationRequested)
            {
                throw new ProviderException($"{request.RequestUri?.Host} cannot be reached: {e.Message}", e);
            }
        }
    }

    public void Dispose() => http.Dispose();
}

/// <summary>A provider said something that cannot be used. The message is for the log: a page tells the user less.</summary>
internal sealed class ProviderException(string message, Exception? inner = null) : Exception(message, inner);
