using Myna.Hardware.State;

namespace Myna.Devices.Usb;

/// <summary>
/// A USB device (USB 2.0, chapter 9) with one configuration and one interface. Not locked: its controller is, whose lock what comes from
/// outside takes first. Saved tags 1 to 19 are this class's.
/// </summary>
[Stateful("usb-device")]
public abstract partial class UsbDevice
{
    /// <summary>Bytes of the data stage of a control transfer at most.</summary>
    internal const int ControlSize = 512;

    private protected const int Refused = -1;

    private readonly Lock _own = new();
    private readonly UsbDescription _description;

    [NotSaved("where the machine plugged it")] private IUsbHost? _host;

    // The control transfer under way.
    [Saved(1)] private readonly byte[] _control = new byte[ControlSize];
    [Saved(2)] private UsbSetup _setup;
    [Saved(3)] private int _controlLength;
    [Saved(4)] private int _controlPosition;

    [Saved(5)] private byte _configuration;

    // Halted endpoints: OUT in bits 0 to 15, IN in bits 16 to 31.
    [Saved(6)] private uint _halted;
    [Saved(7)] private bool _remoteWakeup;

    private protected UsbDevice(string name, UsbSpeed speed, UsbDescription description)
    {
        Name = name;
        Speed = speed;
        _description = description;
    }

    /// <summary>For the user.</summary>
    public string Name { get; }

    public UsbSpeed Speed { get; }

    /// <summary>The controller's number for it; 0 when it has none.</summary>
    [field: NotSaved("derived by the controller")]
    internal int Slot { get; set; }

    /// <summary>The driver has chosen a configuration.</summary>
    internal bool IsConfigured => Volatile.Read(ref _configuration) != 0;

    /// <summary>The driver wants to be woken.</summary>
    internal bool RemoteWakeup => _remoteWakeup;

    /// <summary>The lock of everything below.</summary>
    private protected Lock Lock => _host?.Lock ?? _own;

    private protected IUsbHost? Host => _host;

    /// <summary>Devices behind this one.</summary>
    internal virtual IEnumerable<UsbDevice> Children => [];

    /// <summary>Work under way at a back end ends before state is saved; 0 when there is none.</summary>
    internal virtual void Attach(IUsbHost host) => _host = host;

    /// <summary>The device at a downstream port, 1 to 15, if it is connected and enabled.</summary>
    internal virtual UsbDevice? Behind(int port) => null;

    /// <summary>A reset by the port, or power-on.</summary>
    internal virtual void BusReset()
    {
        Array.Clear(_control);
        _setup = default;
        _controlLength = _controlPosition = 0;
        _configuration = 0;
        _halted = 0;
        _remoteWakeup = false;
    }

    /// <summary>Power-on state.</summary>
    internal virtual void PowerOn() => BusReset();

    /// <summary>The setup stage (USB 2.0, section 8.5.3): always accepted.</summary>
    internal void Setup(UsbSetup setup)
    {
        _setup = setup;
        _controlPosition = 0;
        _controlLength = !setup.IsIn ? setup.Length <= ControlSize ? setup.Length : Refused : Execute(setup, _control);
        if (setup.IsIn && _controlLength > setup.Length)
            _controlLength = setup.Length;
    }

    /// <summary>A piece of the data stage.</summary>
    internal UsbStatus ControlData(UsbTransfer transfer)
    {
        if ((uint)_controlLength > ControlSize)
            return UsbStatus.Stall;
        int n = Math.Min(_controlLength - _controlPosition, (int)transfer.Length);
        if (n < 0 || (!_setup.IsIn && n != transfer.Length))
            return UsbStatus.Stall;
        Span<byte> data = _control.AsSpan(_controlPosition, n);
        if (_setup.IsIn)
            _ = transfer.Put(data);
        else
            transfer.Done = (uint)transfer.Buffer.Read(0, data);
        _controlPosition += n;
        return UsbStatus.Ok;
    }

    /// <summary>The status stage, in which requests without data from the device are carried out.</summary>
    internal UsbStatus ControlStatus()
    {
        if ((uint)_controlLength > ControlSize)
            return UsbStatus.Stall;
        if (!_setup.IsIn && (_controlPosition != _controlLength || Execute(_setup, _control.AsSpan(0, _controlLength)) == Refused))
            return UsbStatus.Stall;
        return UsbStatus.Ok;
    }

    /// <summary>A transfer of another endpoint than 0.</summary>
    internal UsbStatus Submit(UsbTransfer transfer)
    {
        if (_configuration == 0 || !_description.Has(transfer.Endpoint))
            return UsbStatus.Error;
        return (_halted & BitOf(transfer.Endpoint)) != 0 ? UsbStatus.Stall : Execute(transfer);
    }

    /// <summary>Stops an endpoint until the host clears the condition.</summary>
    private protected void Halt(int endpoint) => _halted |= BitOf(endpoint);

    private protected abstract UsbStatus Execute(UsbTransfer transfer);

    /// <summary>A request of the class.</summary>
    /// <param name="data">What came, or room for what goes.</param>
    /// <returns>Bytes that go, or <see cref="Refused"/>.</returns>
    private protected virtual int ClassRequest(in UsbSetup setup, Span<byte> data) => Refused;

    /// <summary>A class's own descriptor.</summary>
    private protected virtual ReadOnlySpan<byte> ClassDescriptor(int type) => [];

    /// <summary>The host cleared the halt condition of an endpoint.</summary>
    private protected virtual void HaltCleared(int endpoint) { }

    private protected virtual void Configured() { }

    private protected static int Answer(ReadOnlySpan<byte> bytes, Span<byte> data)
    {
        bytes = bytes[..Math.Min(bytes.Length, data.Length)];
        bytes.CopyTo(data);
        return bytes.Length;
    }

    private static uint BitOf(int endpoint) => 1u << ((endpoint & 15) + ((endpoint & UsbRequest.DirectionIn) != 0 ? 16 : 0));

    private int Execute(in UsbSetup setup, Span<byte> data) => setup.Type switch
    {
        UsbRequest.Standard => StandardRequest(setup, data),
        UsbRequest.Class when _configuration != 0 || setup.IsIn => ClassRequest(setup, data),
        _ => Refused,
    };

    private int StandardRequest(in UsbSetup setup, Span<byte> data)
    {
        int index = setup.Index & 0xff;
        switch (setup.Request, setup.Recipient)
        {
            case (UsbRequest.GET_STATUS, UsbRequest.Device):
                return Answer([(byte)(1 | (_remoteWakeup ? 2 : 0)), 0], data);
            case (UsbRequest.GET_STATUS, UsbRequest.Interface) when index == 0:
                return Answer([0, 0], data);
            case (UsbRequest.GET_STATUS, UsbRequest.Endpoint) when index is 0 or 0x80 || _description.Has(index):
                return Answer([(_halted & BitOf(index)) != 0 ? (byte)1 : (byte)0, 0], data);
            case (UsbRequest.CLEAR_FEATURE or UsbRequest.SET_FEATURE, UsbRequest.Device) when setup.Value == UsbRequest.DEVICE_REMOTE_WAKEUP:
                _remoteWakeup = setup.Request == UsbRequest.SET_FEATURE;
                return 0;
            case (UsbRequest.CLEAR_FEATURE or UsbRequest.SET_FEATURE, UsbRequest.Device) when Speed == UsbSpeed.Super && setup.Value is >= UsbRequest.U1_ENABLE and <= UsbRequest.LTM_ENABLE:
                return 0;
            case (UsbRequest.SET_FEATURE, UsbRequest.Interface) when Speed == UsbSpeed.Super && setup.Value == UsbRequest.FUNCTION_SUSPEND:
                _remoteWakeup = (setup.Index & 0x200) != 0;
                return 0;
            case (UsbRequest.CLEAR_FEATURE, UsbRequest.Endpoint) when setup.Value == UsbRequest.ENDPOINT_HALT && _description.Has(index):
                _halted &= ~BitOf(index);
                HaltCleared(index);
                return 0;
            case (UsbRequest.SET_FEATURE, UsbRequest.Endpoint) when setup.Value == UsbRequest.ENDPOINT_HALT && _description.Has(index):
                Halt(index);
                return 0;
            case (UsbRequest.GET_DESCRIPTOR, UsbRequest.Device):
            {
                ReadOnlySpan<byte> descriptor = _description.Descriptor(setup.Value >> 8, setup.Value & 0xff);
                return descriptor.IsEmpty ? Refused : Answer(descriptor, data);
            }
            case (UsbRequest.GET_DESCRIPTOR, UsbRequest.Interface):
            {
                ReadOnlySpan<byte> descriptor = ClassDescriptor(setup.Value >> 8);
                return descriptor.IsEmpty ? Refused : Answer(descriptor, data);
            }
            case (UsbRequest.GET_CONFIGURATION, UsbRequest.Device):
                return Answer([_configuration], data);
            case (UsbRequest.SET_CONFIGURATION, UsbRequest.Device) when setup.Value <= 1:
                _halted = 0;
                Volatile.Write(ref _configuration, (byte)setup.Value);
                Configured();
                return 0;
            case (UsbRequest.GET_INTERFACE, UsbRequest.Interface) when index == 0 && _configuration != 0:
                return Answer([0], data);
            case (UsbRequest.SET_INTERFACE, UsbRequest.Interface) when index == 0 && setup.Value == 0 && _configuration != 0:
                _halted = 0;
                Configured();
                return 0;
            case (UsbRequest.SET_SEL or UsbRequest.SET_ISOCH_DELAY, UsbRequest.Device) when Speed == UsbSpeed.Super:
                return 0;
            default:
                return Refused;
        }
    }

    private protected virtual void Sync()
    {
        if (_controlLength > ControlSize || _controlPosition < 0 || _controlPosition > Math.Max(_controlLength, 0))
            (_controlLength, _controlPosition) = (Refused, 0);
    }
}
