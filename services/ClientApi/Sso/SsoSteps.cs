using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Matrix.ClientApi.Pages;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso;

/// <summary>Keeps what a login needs when the browser comes back, to whichever instance.</summary>
internal sealed class SsoSteps(PendingStepStore store)
{
    private const string Login = "sso";
    private const string Register = "registration";
    /// <summary>How long a user may take at the provider.</summary>
    private static readonly TimeSpan LoginTime = TimeSpan.FromMinutes(60);
    public static readonly TimeSpan RegistrationTime = TimeSpan.FromMinutes(15);

    /// <summary>The state to send along.</summary>
    public Task<string> CreateAsync(SsoStep step, CancellationToken ct, TimeSpan? lifetime = null) =>
        store.CreateAsync(Login, JsonSerializer.SerializeToUtf8Bytes(step, SsoJson.Default.SsoStep), lifetime ?? LoginTime, ct);

    /// <summary>
    /// The step of a state that a browser brings back. A state that is unknown, used or expired, or that another browser began, is refused; the
    /// latter stays for the browser that it belongs to.
    /// </summary>
    public async Task<SsoStep> RequireAsync(string? state, Browser browser, CancellationToken ct)
    {
        var step = state is null ? null : Read(await store.FindAsync(Login, state, ct), SsoJson.Default.SsoStep);
        if (step is null) throw new PageException(400, "invalid_session", "This login has expired or was never begun here. Begin it again from your Matrix client.");
        if (!browser.BeganFlow(step.Browser))
            throw new PageException(400, "missing_session", "This browser did not begin this login. Allow cookies for this server and begin again from your Matrix client.");
        return step;
    }

    /// <summary>As <see cref="RequireAsync"/>, and nobody gets the step again.</summary>
    public async Task<SsoStep> TakeAsync(string? state, Browser browser, CancellationToken ct)
    {
        await RequireAsync(state, browser, ct);
        return Read(await store.UseAsync(Login, state!, ct), SsoJson.Default.SsoStep)
            ?? throw new PageException(400, "invalid_session", "This login was finished before.");
    }

    public Task<string> CreateAsync(RegistrationStep step, CancellationToken ct) =>
        store.CreateAsync(Register, JsonSerializer.SerializeToUtf8Bytes(step, SsoJson.Default.RegistrationStep), RegistrationTime, ct);

    public async Task<RegistrationStep?> FindRegistrationAsync(string secret, CancellationToken ct) =>
        Read(await store.FindAsync(Register, secret, ct), SsoJson.Default.RegistrationStep);

    public Task<bool> UpdateAsync(string secret, RegistrationStep step, CancellationToken ct) =>
        store.UpdateAsync(Register, secret, JsonSerializer.SerializeToUtf8Bytes(step, SsoJson.Default.RegistrationStep), ct);

    public async Task EndRegistrationAsync(string secret, CancellationToken ct) => await store.UseAsync(Register, secret, ct);

    private static T? Read<T>(byte[]? data, JsonTypeInfo<T> type) where T : class => data is null ? null : JsonSerializer.Deserialize(data, type);
}
