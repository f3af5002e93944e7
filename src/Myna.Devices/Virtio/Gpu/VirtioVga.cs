using Myna.Devices.Display;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Virtio.Gpu;

/// <summary>
/// A VGA and virtio-gpu in one PCI function, as QEMU's virtio-vga: firmware and old systems see the VGA (BAR 0 video memory, BAR 2 begins
/// with its registers), drivers of virtio-gpu find its structures behind these and take the screen over.
/// </summary>
[Stateful("virtio-vga")]
public sealed partial class VirtioVga : VirtioPci, IPcDisplay
{
    private const int MemoryBar = 0, RegisterBar = 2, VectorBar = 4;
    private const uint ClassVga = 0x030000;

    private readonly VirtioGpu _gpu;
    private readonly BochsRegisters _registers;

    [Saved(30)]
    private readonly Vga _vga;

    /// <param name="size">Bytes of video memory, a power of two from 1 MiB to 256 MiB.</param>
    /// <param name="rom">The VGA BIOS, or null.</param>
    public VirtioVga(VirtioGpu gpu, Clock clock, ulong size = 16 << 20, byte[]? rom = null)
        : base(gpu, "virtio-vga", ClassVga, RegisterBar, BochsRegisters.Size, VectorBar, rom)
    {
        _gpu = gpu;
        Memory = new Ram("vga", size);
        _vga = new Vga(clock, Memory);
        _registers = new BochsRegisters(_vga);
        AddBar(MemoryBar, Memory, prefetchable: true);
        AllowIo();
    }

    [field: NotSaved("content is saved with the memory")]
    public Ram Memory { get; }

    public Vga Vga => _vga;

    bool IScreen.IsActive => true;

    public CursorImage? Cursor => _gpu.IsActive ? _gpu.Cursor : null;

    public void Draw(Surface surface)
    {
        if (_gpu.IsActive)
            _gpu.Draw(surface);
        else
            _vga.Draw(surface);
    }

    public bool Suggest(int width, int height) => _gpu.Suggest(width, height);

    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (bar != RegisterBar || offset >= BochsRegisters.Size)
            return base.ReadBar(bar, offset, size, out value);
        value = _registers.Read(offset, size);
        return true;
    }

    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar != RegisterBar || offset >= BochsRegisters.Size)
            return base.WriteBar(bar, offset, size, value);
        _registers.Write(offset, size, value);
        return true;
    }

    public override void Reset()
    {
        base.Reset();
        _vga.Reset();
    }

    public void Dispose() => Memory.Dispose();
}
