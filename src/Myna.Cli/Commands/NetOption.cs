using System.Globalization;
using Myna.Machines;
using Myna.Network;

namespace Myna.Cli.Commands;

/// <summary>What <c>--net</c> asks for: a card, and the network behind it.</summary>
/// <param name="Network">Null for no card at all.</param>
/// <param name="Mac">Six bytes, or null for a default.</param>
/// <param name="Rom">The card's firmware: a file, <see cref="RomOn"/>, <see cref="RomOff"/>, or null for one where it is of use.</param>
internal sealed record NetOption(UserNetworkOptions? Network, NetModel Model = NetModel.Virtio, byte[]? Mac = null, string? Rom = null)
{
    /// <summary>One user-mode network unless the user said otherwise.</summary>
    public static IReadOnlyList<NetOption> OrDefault(IReadOnlyList<NetOption> wanted) => wanted.Count > 0 ? wanted : [new NetOption(new UserNetworkOptions())];

    public const string RomOn = "on", RomOff = "off";

    /// <summary>Reads <c>none</c> or <c>user[,model=virtio|e1000|e1000e|rtl8139][,mac=XX:XX:XX:XX:XX:XX][,rom=on|off|FILE][,…]</c>; the rest is the network's.</summary>
    /// <exception cref="FormatException">Says what is wrong and what would be right.</exception>
    public static NetOption Parse(string text)
    {
        if (text == "none")
            return new NetOption(Network: null);
        NetModel? model = null;
        byte[]? mac = null;
        string? rom = null;
        List<string> rest = [];
        foreach (string part in text.Split(','))
        {
            if (part.StartsWith("model=", StringComparison.Ordinal))
                model = model is null ? ModelOf(part[6..]) : throw new FormatException("network option 'model' is given twice");
            else if (part.StartsWith("mac=", StringComparison.Ordinal))
                mac = mac is null ? MacOf(part[4..]) : throw new FormatException("network option 'mac' is given twice");
            else if (part.StartsWith("rom=", StringComparison.Ordinal))
                rom = rom is null && part.Length > 4 ? part[4..] : throw new FormatException("network option 'rom' takes on, off or a file, once");
            else
                rest.Add(part);
        }
        return new NetOption(UserNetworkOptions.Parse(string.Join(',', rest)), model ?? NetModel.Virtio, mac, rom);
    }

    private static NetModel ModelOf(string text) => text switch
    {
        "virtio" or "virtio-net" or "virtio-net-pci" => NetModel.Virtio,
        "e1000" => NetModel.E1000,
        "e1000e" => NetModel.E1000e,
        "rtl8139" => NetModel.Rtl8139,
        _ => throw new FormatException($"network card '{text}' is unknown; use virtio, e1000, e1000e or rtl8139"),
    };

    private static byte[] MacOf(string text)
    {
        string[] parts = text.Split(':', '-');
        var mac = new byte[6];
        bool good = parts.Length == 6;
        for (int i = 0; good && i < 6; i++)
            good = parts[i].Length is 1 or 2 && byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out mac[i]);
        if (!good || (mac[0] & 1) != 0 || mac.All(b => b == 0))
            throw new FormatException($"'{text}' is not the MAC address of a card; an example is 52:54:00:12:34:56");
        return mac;
    }
}
