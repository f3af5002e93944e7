namespace Myna.Devices.Sound;

/// <summary>Registers of a High Definition Audio controller (Intel HDA specification 1.0a, section 3.3), by the dword that holds them.</summary>
internal static class HdaRegister
{
    public const int GCAP = 0x00, OUTPAY = 0x04, GCTL = 0x08, WAKEEN = 0x0c, GSTS = 0x10, OUTSTRMPAY = 0x18, INTCTL = 0x20, INTSTS = 0x24, WALCLK = 0x30, SSYNC = 0x34, OldSSYNC = 0x38,
        CORBLBASE = 0x40, CORBUBASE = 0x44, CORBWP = 0x48, CORBCTL = 0x4c, RIRBLBASE = 0x50, RIRBUBASE = 0x54, RIRBWP = 0x58, RIRBCTL = 0x5c,
        ICOI = 0x60, ICII = 0x64, ICS = 0x68, DPLBASE = 0x70, DPUBASE = 0x74;

    /// <summary>The first stream's registers, and the distance between streams; the aliases of section 3.3.44 and following.</summary>
    public const int Streams = 0x80, StreamStride = 0x20, WALCLKA = 0x2030, LICBA = 0x2084;

    public const int SDCTL = 0x00, SDLPIB = 0x04, SDCBL = 0x08, SDLVI = 0x0c, SDFIFOS = 0x10, SDBDPL = 0x18, SDBDPU = 0x1c;

    // GCTL.
    public const uint CRST = 1, FCNTRL = 2, UNSOL = 1 << 8;

    // GSTS.
    public const uint FSTS = 2;

    // INTCTL and INTSTS.
    public const uint GlobalInterrupt = 1u << 31, ControllerInterrupt = 1 << 30;

    // CORBRP and RIRBWP, each as the 16 bits it has.
    public const ushort PointerReset = 1 << 15;

    // CORBCTL; CORBSTS.
    public const byte CMEIE = 1, CORBRUN = 2, CMEI = 1;

    // RIRBCTL; RIRBSTS.
    public const byte RINTCTL = 1, RIRBDMAEN = 2, RIRBOIC = 4, RINTFL = 1, RIRBOIS = 4;

    // ICS.
    public const uint ICB = 1, IRV = 2;

    // SDnCTL; SDnSTS.
    public const uint SRST = 1, RUN = 2, IOCE = 4, FEIE = 8, DEIE = 16, ControlBits = 0xff_001f;
    public const byte BCIS = 4, FIFOE = 8, DESE = 16, FIFORDY = 32, StatusEvents = BCIS | FIFOE | DESE;
}
