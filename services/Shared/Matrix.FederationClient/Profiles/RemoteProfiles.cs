using System.Net;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Microsoft.Extensions.Logging;

namespace Matrix.FederationClient.Profiles;

/// <summary>Profiles of the users of other servers, asked for there. Spec: server-server-api/#get_matrixfederationv1queryprofile</summary>
public sealed partial class RemoteProfiles(FederationHttp http, ILogger<RemoteProfiles> log)
{
    /// <summary>A profile has 64 KiB in its canonical form; people may write it with more.</summary>
    private const int MaxBytes = 256 * 1024;

    /// <param name="field">The one that is wanted; a server may tell more all the same. Null: all.</param>
    /// <returns>A canonical object; null: the server knows no such user, does not answer, or with what is no profile.</returns>
    public async Task<byte[]?> FindAsync(UserId user, string? field, CancellationToken ct)
    {
        var target = $"/_matrix/federation/v1/query/profile?user_id={Uri.EscapeDataString(user.Value)}{(field is null ? "" : "&field=" + Uri.EscapeDataString(field))}";
        try
        {
            var answer = await http.SendAsync(user.Server.ToString(), HttpMethod.Get, target, null, MaxBytes, ct);
            if (answer is { Status: HttpStatusCode.OK, Body: { } body } && CanonicalJson.ToArray(body, out _, strict: false) is { } json && CanonicalValue.IsObject(json))
                return json;
            LogNoAnswer(user.Value, $"status {(int)answer.Status}");
        }
        catch (FederationUnreachableException e)
        {
            LogNoAnswer(user.Value, e.Message);
        }
        return null;
    }

    [LoggerMessage(2210, LogLevel.Debug, "No profile of {User}: {Reason}")]
    private partial void LogNoAnswer(string user, string reason);
}
