namespace Matrix.AppHostTests.Whole;

/// <summary>./run monolith.</summary>
public sealed class MonolithTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("armada-monolith");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task It_finds_its_data_again_and_leaves_nothing_behind_even_when_killed()
    {
        await using (var host = HostProgram.Start(_folder.FullName, "monolith"))
        {
            await host.UpAsync();
            await host.RegisterAsync("alice");
            var pids = host.Pids();
            Assert.Equal(["host", "monolith", "postgres"], pids.Keys.Order());
            Assert.Equal(0, await host.StopAsync());
            Assert.DoesNotContain(pids.Values, HostProgram.IsAlive);
            Assert.Empty(Directory.GetFiles(Path.Combine(_folder.FullName, "run"), "*.pid"));
        }

        await using (var host = HostProgram.Start(_folder.FullName, "monolith"))
        {
            await host.UpAsync();
            var taken = await Assert.ThrowsAnyAsync<Exception>(() => host.RegisterAsync("alice"));
            Assert.Contains("M_USER_IN_USE", taken.Message, StringComparison.Ordinal);
            var pids = host.Pids();
            HostProgram.Signal(host.Pid, "-KILL");
            await host.EndAsync();
            await HostProgram.UntilAsync(() => Task.FromResult(!pids.Values.Any(HostProgram.IsAlive)), "all processes of a killed host end");
        }

        // What a killed run left in the folder does not stop the next one.
        await using var last = HostProgram.Start(_folder.FullName, "monolith");
        await last.UpAsync();
    }

    [Fact]
    public async Task Two_runs_do_not_share_a_folder()
    {
        await using var first = HostProgram.Start(_folder.FullName, "monolith");
        await first.UpAsync();
        await using var second = HostProgram.Start(_folder.FullName, "monolith");
        Assert.Equal(1, await second.EndAsync());
        Assert.Contains("Another run is using", second.Output, StringComparison.Ordinal);
    }
}
