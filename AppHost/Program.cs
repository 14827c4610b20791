using Matrix.AppHost.Commands;
using Matrix.AppHost.Fleet;

return await CommandLine.RunAsync(args, run =>
{
    var builder = DistributedApplication.CreateBuilder(args);
    var fleet = builder.AddFleet(run);

    fleet.AddPostgres();
    fleet.AddMigrator<Projects.Migrator>();

    if (run.IsMonolith)
    {
        fleet.AddPublic<Projects.Monolith>("monolith");
    }
    else
    {
        fleet.AddRedis();
        fleet.Add<Projects.ClientApi>("clientapi");
        fleet.Add<Projects.Sync>("sync", replicas: 2);
        fleet.Add<Projects.EventPersister>("eventpersister", replicas: 2);
        fleet.Add<Projects.FederationInbound>("federationinbound");
        fleet.Add<Projects.FederationSender>("federationsender");
        fleet.Add<Projects.Media>("media");
        fleet.Add<Projects.Push>("push");
        fleet.Add<Projects.UserDirectory>("userdirectory");
        fleet.Add<Projects.AppServices>("appservices");
        fleet.Add<Projects.Background>("background");
        fleet.AddPublic<Projects.Gateway>("gateway");
    }

    return builder.Build();
});
