using Myna.Hardware.Memory;
using Myna.Hardware.Screens;

namespace Myna.Devices.Display;

/// <summary>A display on PCI that can be a PC's first one: boards map the ports and the window of its VGA.</summary>
public interface IPcDisplay : IScreen, IDisposable
{
    /// <summary>Video memory.</summary>
    Ram Memory { get; }

    /// <summary>Ports, and the window at A0000h.</summary>
    Vga Vga { get; }
}
