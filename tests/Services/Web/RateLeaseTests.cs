using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Web.RateLimits;

namespace Matrix.ServiceTests.Web;

public sealed class RateLeaseTests
{
    private sealed class Buckets : IRateBuckets
    {
        public TaskCompletionSource<BucketAnswer?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public int Asked { get; private set; }

        public async ValueTask<BucketAnswer?> TakeAsync(string key, double perSecond, int burst, int most, CancellationToken ct)
        {
            Asked++;
            return await Answer.Task;
        }
    }

    [Fact]
    public async Task Requests_at_the_same_time_share_one_lease()
    {
        var buckets = new Buckets();
        var config = new HomeserverConfig { ServerName = "test.example", Database = new DatabaseConfig { ConnectionString = "" }, RateLimits = new RateLimits { Message = new RateLimit(100, 400) } };
        var limiter = new RateLimiter(config, TimeProvider.System, [buckets], []);
        var requests = Enumerable.Range(0, 20)
            .Select(_ => limiter.RequireAsync(RateLimitRules.Message, null, "@a:test.example", TestContext.Current.CancellationToken).AsTask()).ToList();
        buckets.Answer.SetResult(new BucketAnswer(100, 0));
        await Task.WhenAll(requests);
        Assert.Equal(1, buckets.Asked);
    }
}
