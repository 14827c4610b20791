using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso.Oidc;

namespace Matrix.ClientApi.Sso;

/// <summary>Browsers that go to a provider and come back: faults of providers go to the log, the user sees a page.</summary>
internal sealed partial class SsoCallbacks(SsoLogin login, SsoSteps steps, SsoProviders providers, Pages.Pages pages, ILogger<SsoCallbacks> log)
{
    /// <summary>Where to send the browser.</summary>
    public async Task<string> BeginAsync(ISsoProvider provider, SsoTarget target, Browser browser, IQueryCollection parameters, CancellationToken ct)
    {
        try
        {
            return await provider.BeginAsync(target, browser, parameters, ct);
        }
        catch (ProviderException e)
        {
            LogNotBegun(log, provider.Id, e.Message);
            throw new PageException(502, "provider_error", $"{provider.Label.Name} cannot be reached at the moment.");
        }
    }

    public Task<IResult> RunAsync(string provider, Func<SsoLogin, Task<IResult>> handler) => pages.GuardAsync(async () =>
    {
        try
        {
            return await handler(login);
        }
        catch (ProviderException e)
        {
            LogRefused(log, provider, e.Message);
            throw new PageException(401, "provider_error", "The login at the provider could not be verified. Begin it again from your Matrix client.");
        }
    });

    public async Task<IResult> CompleteOidcAsync(SsoLogin completion, string? state, string? code, string? error, string? iss, Browser browser, CancellationToken ct)
    {
        var step = await steps.TakeAsync(state, browser, ct);
        if (providers.Find(step.Provider) is not OidcProvider provider) throw new PageException(400, "invalid_session", "This provider is not known here any more.");
        if (error is not null)
        {
            LogRefused(log, provider.Id, $"the provider says {error}");
            throw new PageException(error == "access_denied" ? 403 : 502, "provider_error", "The provider did not let you log in.");
        }
        if (code is not { Length: > 0 and < 8192 }) throw new PageException(400, "invalid_request", "The provider sent you back without a code.");
        var identity = await provider.ReadAsync(code, iss, step, ct);
        return await completion.CompleteAsync(provider, identity, step.Target, browser, ct);
    }

    [LoggerMessage(4030, LogLevel.Warning, "Login at {Provider} refused: {Reason}")]
    private static partial void LogRefused(ILogger log, string provider, string reason);
    [LoggerMessage(4045, LogLevel.Warning, "Login at {Provider} cannot begin: {Reason}")]
    private static partial void LogNotBegun(ILogger log, string provider, string reason);
}
