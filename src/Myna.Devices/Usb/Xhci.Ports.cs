namespace Myna.Devices.Usb;

// Root hub ports (xHCI 1.2, sections 4.19 and 5.4.8).
public sealed partial class Xhci
{
    private void WritePort(int index, uint value)
    {
        XhciPort port = _ports[index];
        // Changes are cleared by ones; wake enables are kept.
        port.Portsc = port.Portsc & ~(value & XhciRegister.Changes) & ~XhciRegister.WakeEnables | value & XhciRegister.WakeEnables;
        if ((value & XhciRegister.PED) != 0 && (port.Portsc & XhciRegister.PED) != 0)
        {
            port.Portsc &= ~XhciRegister.PED;
            port.LinkState = port.IsSuper ? 4 : XhciRegister.Polling;
        }
        if ((value & XhciRegister.PR) != 0 || (port.IsSuper && (value & XhciRegister.WPR) != 0))
        {
            ResetPort(index, (value & XhciRegister.WPR) != 0);
            return;
        }
        if ((value & XhciRegister.LWS) != 0)
            SetLink(index, (value & XhciRegister.PLS) >> XhciRegister.PlsShift);
    }

    private void ResetPort(int index, bool warm)
    {
        XhciPort port = _ports[index];
        if (!port.Connected)
        {
            // Nobody answers; a port reset ends without one, as with a real controller of either kind.
            if (port.IsSuper)
                Changed(index, XhciRegister.PRC | (warm ? XhciRegister.WRC : 0));
            return;
        }
        port.Device!.BusReset();
        port.Portsc |= XhciRegister.PED;
        port.LinkState = XhciRegister.U0;
        Changed(index, XhciRegister.PRC | (warm ? XhciRegister.WRC : 0));
    }

    private void SetLink(int index, uint state)
    {
        XhciPort port = _ports[index];
        uint before = port.LinkState;
        if ((port.Portsc & XhciRegister.PED) == 0)
        {
            // From Disabled, a SuperSpeed link is trained again.
            if (port.IsSuper && state == XhciRegister.RxDetect && port.Connected)
            {
                port.Detect();
                Changed(index, XhciRegister.PLC);
            }
            return;
        }
        switch (state)
        {
            case XhciRegister.U0 when before is XhciRegister.U3 or XhciRegister.Resume:
                port.LinkState = XhciRegister.U0;
                Changed(index, XhciRegister.PLC);
                Kick(port.Device);
                break;
            case XhciRegister.Resume when before == XhciRegister.U3 && !port.IsSuper:
                port.LinkState = XhciRegister.Resume;
                break;
            case XhciRegister.U0 or XhciRegister.U3 or 1 or 2:
                port.LinkState = state == XhciRegister.U3 ? state : XhciRegister.U0;
                break;
        }
    }

    /// <summary>A sleeping device has something to say: its port resumes (section 4.15.2).</summary>
    private void Wake(UsbDevice device)
    {
        if (!device.RemoteWakeup)
            return;
        for (int i = 0; i < PortCount; i++)
        {
            XhciPort port = _ports[i];
            if (port.LinkState != XhciRegister.U3 || port.Device is not { } root || (root != device && !root.Children.Contains(device)))
                continue;
            port.LinkState = port.IsSuper ? XhciRegister.U0 : XhciRegister.Resume;
            Changed(i, XhciRegister.PLC);
        }
    }

    /// <summary>Sets change bits; the first one of a port has an event (section 4.19.2).</summary>
    private void Changed(int index, uint changes)
    {
        XhciPort port = _ports[index];
        if (changes == 0 || (port.Portsc & changes) == changes)
            return;
        port.Portsc |= changes;
        _usbsts |= XhciRegister.PCD;
        if ((_usbcmd & XhciRegister.RS) != 0)
            PostPort(index);
    }
}
