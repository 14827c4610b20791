using Matrix.AppServices;
using Matrix.Background;
using Matrix.ClientApi;
using Matrix.EventPersister;
using Matrix.FederationInbound;
using Matrix.FederationSender;
using Matrix.Media;
using Matrix.Push;
using Matrix.ServiceDefaults.Edge;
using Matrix.Sync;
using Matrix.UserDirectory;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("monolith", args,
    ClientApiService.Name, SyncService.Name, EventPersisterService.Name, FederationInboundService.Name, FederationSenderService.Name,
    MediaService.Name, PushService.Name, UserDirectoryService.Name, AppServicesService.Name, Matrix.Background.BackgroundService.Name);
builder.AddClientApi().AddSync().AddEventPersister().AddFederationInbound().AddFederationSender()
    .AddMedia().AddPush().AddUserDirectory().AddAppServices().AddBackground().AddSyncWarmUp();
var app = builder.Build();
PublicEdge.Use(app).MapPublicEdge();
app.UseMatrix();
app.MapClientApi().MapSync().MapEventPersister().MapFederationInbound().MapFederationSender()
    .MapMedia().MapPush().MapUserDirectory().MapAppServices().MapBackground();
return await app.RunMatrixAsync();
