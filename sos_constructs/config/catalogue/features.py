"""ConfigMap ``sos-app-features``: what is switched on."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL


def _feature(name: str, default: bool, doc: str, reason: str = REQUIREMENT) -> Key:
    return Key(f"FEATURE_{name}_ENABLED", BOOL, default, doc, reason)


FEATURES = Section(
    name="features",
    title="Features",
    doc="What is switched on.",
    keys=(
        _feature("EMERGENCY_ALERTS", True, "People can raise an alarm."),
        _feature("LOCATION_TRACKING", True, "Positions are followed during an emergency."),
        _feature("MEDICAL_PROFILES", True, "People can store what responders should know."),
        _feature("IOT_DEVICES", True, "Wearables and buttons can be paired."),
        _feature("SMS", True, "Text messages are offered as a channel."),
        _feature("PUSH", True, "Push messages are offered as a channel."),
        _feature("EMAIL", True, "E-mail is offered as a channel."),
        _feature("VOICE_CALLS", True, "Calls are offered as a channel."),
        _feature("VIDEO_CALLS", False, "Video calls are offered as a channel."),
        _feature("AI_FALL_DETECTION", True, "Falls are recognised from sensor data."),
        _feature("VOICE_ACTIVATION", True, "A spoken word raises an alarm."),
        _feature("OFFLINE_MODE", True, "Apps keep alarms while there is no network and send them later."),
        _feature("GEOFENCING", True, "Leaving or entering an area tells somebody."),
        _feature("GOOGLE_LOGIN", True, "People can log in with Google."),
        _feature("APPLE_LOGIN", True, "People can log in with Apple."),
        _feature("FACEBOOK_LOGIN", False, "People can log in with Facebook."),
        _feature("ANALYTICS", True, "Use of the apps is counted."),
        _feature("WEARABLE_INTEGRATION", False, "Beta: health data from watches."),
        _feature("AR_NAVIGATION", False, "Beta: the way to an emergency in the camera image."),
        _feature("MAINTENANCE_MODE", False, "Everything but emergencies is answered with 503.", "off until somebody needs it"),
    ),
)
