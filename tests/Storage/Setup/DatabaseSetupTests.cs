using Matrix.Storage.Setup;

namespace Matrix.StorageTests.Setup;

public class DatabaseSetupTests
{
    [Fact]
    public void Pool_keepalive_and_preparation_are_set()
    {
        var settings = DatabaseSetup.Settings("Host=h;Username=u", 3, 7, "sync-1");
        Assert.Equal((3, 7, "sync-1"), (settings.MinPoolSize, settings.MaxPoolSize, settings.ApplicationName));
        Assert.Equal((30, true, 200, true), (settings.KeepAlive, settings.TcpKeepAlive, settings.MaxAutoPrepare, settings.NoResetOnClose));
        Assert.False(settings.Multiplexing);
    }

    [Fact]
    public void What_the_connection_string_says_itself_wins()
    {
        var settings = DatabaseSetup.Settings("Host=h;Keepalive=5;Max Auto Prepare=0;Application Name=mine;No Reset On Close=false", 1, 2, "sync-1");
        Assert.Equal((5, 0, "mine", false), (settings.KeepAlive, settings.MaxAutoPrepare, settings.ApplicationName, settings.NoResetOnClose));
    }
}
