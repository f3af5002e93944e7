using Myna.Devices.Display;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Display;

/// <summary>Register values of standard modes (IBM PS/2 Hardware Interface Technical Reference, "BIOS video modes").</summary>
internal sealed record VgaMode(int Miscellaneous, string Sequencer, string Crtc, string Graphics, string Attributes)
{
    public static VgaMode Text { get; } = new(0x67, "0300030002", "5F4F50825581BF1F004F0D0E000000009C8E8F281F96B9A3FF", "0000000000100E00FF", "000102030405140738393A3B3C3D3E3F0C000F0800");

    public static VgaMode Planar { get; } = new(0xe3, "03010F0006", "5F4F508254800B3E0040000000000000EA8CDF2800E704E3FF", "000000000000050FFF", "000102030405140738393A3B3C3D3E3F01000F0000");

    public static VgaMode Chained { get; } = new(0x63, "03010F000E", "5F4F50825480BF1F00410000000000009C8E8F284096B9A3FF", "000000000040050FFF", "000102030405060708090A0B0C0D0E0F41000F0000");

    public void Set(Vga vga)
    {
        vga.Registers.Out(2, Miscellaneous);
        Write(vga, 4, Sequencer);
        byte[] crtc = Convert.FromHexString(Crtc);
        vga.CrtcColour.Out(0, 0x11);
        vga.CrtcColour.Out(1, 0);
        for (int i = 0; i < crtc.Length; i++)
        {
            vga.CrtcColour.Out(0, i);
            vga.CrtcColour.Out(1, crtc[i]);
        }
        Write(vga, 14, Graphics);
        byte[] attributes = Convert.FromHexString(Attributes);
        vga.StatusColour.In();
        for (int i = 0; i < attributes.Length; i++)
        {
            vga.Registers.Out(0, i);
            vga.Registers.Out(0, attributes[i]);
        }
        vga.Registers.Out(0, 0x20);
    }

    private static void Write(Vga vga, int port, string values)
    {
        byte[] bytes = Convert.FromHexString(values);
        for (int i = 0; i < bytes.Length; i++)
        {
            vga.Registers.Out(port, i);
            vga.Registers.Out(port + 1, bytes[i]);
        }
    }
}
