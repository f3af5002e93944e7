using System.Reflection;

namespace Myna.Exec;

/// <summary>What this program is.</summary>
internal static class Product
{
    /// <summary>As in Directory.Build.props.</summary>
    public static string Version => Assembly.GetExecutingAssembly().GetName().Version!.ToString(3);
}
