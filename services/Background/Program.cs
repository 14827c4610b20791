using Matrix.Background;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("background", args);
builder.AddBackground();
var app = builder.Build();
app.UseMatrix();
app.MapBackground();
return await app.RunMatrixAsync();
