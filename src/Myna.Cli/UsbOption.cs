using Myna.Machines;

namespace Myna.Cli;

/// <summary>A USB device of the guest.</summary>
/// <param name="Kind">What it is; null for a drive, and for none.</param>
/// <param name="Drive">The drive; null for another device.</param>
public sealed record UsbOption(UsbKind? Kind, DiskOption? Drive = null)
{
    /// <summary>No device: not even those that a display would bring.</summary>
    public bool IsNone => Kind is null && Drive is null;

    /// <summary>Reads <c>keyboard|tablet|hub|none|storage=FILE[,readonly][,serial=TEXT][,bootindex=N]</c>; two commas in FILE stand for one.</summary>
    /// <exception cref="FormatException">Says what would be right.</exception>
    public static UsbOption Parse(string text)
    {
        const string Storage = "storage=";
        if (text.StartsWith(Storage, StringComparison.Ordinal))
        {
            DiskOption drive = DiskOption.Parse(text[Storage.Length..]);
            if (drive.Mmio || drive.Interface is not (DiskInterface.Auto or DiskInterface.Usb))
                throw new FormatException("if= and bus= are not for USB storage");
            return new UsbOption(Kind: null, drive with { Interface = DiskInterface.Usb });
        }
        return text switch
        {
            "keyboard" => new UsbOption(UsbKind.Keyboard),
            "tablet" => new UsbOption(UsbKind.Tablet),
            "hub" => new UsbOption(UsbKind.Hub),
            "none" => new UsbOption(Kind: null),
            _ => throw new FormatException($"'{text}' is unknown; use keyboard, tablet, hub, none or storage=FILE"),
        };
    }
}
