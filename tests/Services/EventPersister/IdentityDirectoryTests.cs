using Matrix.EventPersister.ThirdParty;
using Matrix.FederationClient.Identity;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;

namespace Matrix.ServiceTests.EventPersister;

public sealed class IdentityDirectoryTests
{
    [Fact]
    public async Task An_identity_server_that_is_gone_is_no_fault_of_ours_when_it_is_asked_for_its_key()
    {
        // Nobody is asked: the address is not allowed, and a server that cannot be reached looks the same.
        using var http = new IdentityHttp(new IpRangeList(["0.0.0.0/0"]), verifyCertificates: true);
        var directory = new IdentityDirectory(http);
        var key = new InviteKey("key", "https://127.0.0.1:1/_matrix/identity/v2/pubkey/isvalid");
        var gone = await Assert.ThrowsAsync<MatrixException>(() => directory.IsValidAsync(key, TestContext.Current.CancellationToken));
        Assert.Equal((502, "M_UNKNOWN"), (gone.Error.Status, gone.Error.Code));
        // Clients that invite hear what they hear of Synapse.
        var invitee = new Invitee("127.0.0.1:1", "token", "email", "a@b.example");
        Assert.Equal(500, (await Assert.ThrowsAsync<MatrixException>(() => directory.LookupAsync(invitee, TestContext.Current.CancellationToken))).Error.Status);
    }
}
