using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Telemetry;
using Matrix.ServiceTests.ClientApi.Accounts;
using Matrix.ServiceTests.Sso;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Secrets;

/// <summary>ClientApi with everything that people log in with, and all that it tells about itself recorded.</summary>
public sealed class SecretFixture : SsoFixture, IAsyncDisposable
{
    public MailSink Mail { get; } = new();
    internal RecordedTelemetry Recorded { get; } = new();

    protected override HomeserverConfig Adjust(HomeserverConfig config) => config with
    {
        EnableRegistrationWithoutVerification = false,
        Accounts = new()
        {
            Email = new("Test <noreply@test.example>") { Host = "127.0.0.1", Port = Mail.Port },
            RegistrationRequiresToken = true,
            LoginTokens = new() { Enabled = true, RequireUiAuth = false },
        },
    };

    /// <summary>All that an administrator could turn on: every category at the finest level, for the provider by name too.</summary>
    protected override void Replace(IServiceCollection services) => services.AddLogging(logging =>
    {
        logging.SetMinimumLevel(LogLevel.Trace).AddProvider(Recorded).AddFilter("Microsoft", LogLevel.Trace).KeepQueriesOut();
        logging.Services.Configure<LoggerFilterOptions>(o => o.Rules.Add(new(typeof(RecordedTelemetry).FullName, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Trace, null)));
    });

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        await DisposeAsync();
        await Mail.DisposeAsync();
        Recorded.Dispose();
    }
}
