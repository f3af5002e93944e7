using Myna.Hardware.State;

namespace Myna.Devices.Usb;

/// <summary>A root hub port: PORTSC and the device at it.</summary>
[Stateful("xhci-port")]
internal sealed partial class XhciPort(bool super)
{
    private readonly bool _super = super;
    [Saved(1)] private UsbDevice? _device;
    [Saved(2)] private uint _portsc;
    [Saved(3)] private bool _attached = true;
    [Saved(4)] private uint _portpmsc;

    public UsbDevice? Device { get => _device; set => _device = value; }

    public bool IsSuper => _super;
    public uint Portsc { get => _portsc; set => _portsc = value; }
    public uint Portpmsc { get => _portpmsc; set => _portpmsc = value; }

    /// <summary>The user has not pulled it out.</summary>
    public bool Attached { get => _attached; set => _attached = value; }

    public bool Connected => _device is not null && _attached;

    public uint LinkState
    {
        get => (_portsc & XhciRegister.PLS) >> XhciRegister.PlsShift;
        set => _portsc = _portsc & ~XhciRegister.PLS | value << XhciRegister.PlsShift;
    }

    /// <summary>As after a device came or went: a SuperSpeed link trains by itself, a USB 2 port waits for its reset (section 4.19.1).</summary>
    public void Detect()
    {
        uint kept = _portsc & (XhciRegister.Changes | XhciRegister.WakeEnables) | XhciRegister.PP;
        if (!Connected)
        {
            _portsc = kept;
            LinkState = XhciRegister.RxDetect;
            return;
        }
        _portsc = kept | XhciRegister.CCS | (uint)_device!.Speed << XhciRegister.SpeedShift;
        if (_super)
            _portsc |= XhciRegister.PED;
        LinkState = _super ? XhciRegister.U0 : XhciRegister.Polling;
    }

    private void Sync()
    {
        if (!Connected)
            _portsc &= ~(XhciRegister.CCS | XhciRegister.PED);
    }
}
